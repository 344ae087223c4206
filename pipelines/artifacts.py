"""Artifacts and references from a content-addressed cache: made once, in a subprocess of their own, checked always.

    cache/<key>/artifact/             what is deployed: the exported files and manifest.json
    cache/<key>/source_parity.json    tensorflow only: the Keras twin against the torch source
    cache/<key>/verified-<id>.json    the artifact, run in process, against the torch source
    cache/<key>/{parity,load,evaluation}.npz    a reference (its own key)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.cases import Reference
from pipelines.parity import Parity
from serving.reference.artifact import Manifest

CACHE = Path(__file__).parents[1] / ".cache" / "artifacts"
EXPORT_TIMEOUT_S = 600.0
VERIFY_TIMEOUT_S = 300.0

Reason = Literal["converter_error", "converter_crash", "timeout", "out_of_memory", "disk_full"]


class ExportError(Exception):
    """No artifact, or none that runs: where it failed, why in a classified word, and the log's tail."""

    def __init__(self, stage: Literal["export", "verify"], reason: Reason, message: str, detail: str) -> None:
        super().__init__(f"{stage}: {reason}: {message}")
        self.stage, self.reason, self.message, self.detail = stage, reason, message, detail


@dataclass(frozen=True)
class Artifact:
    """An exported artifact in the cache, its files checked against its manifest."""

    key: str
    folder: Path
    """The artifact proper: what a server is given."""
    manifest: Manifest
    bytes: int
    """Size of all its files, the manifest left out."""
    cached: bool
    """True where nothing was exported now; `manifest.export_s` is then the time it took when it was."""


def key(model: str, framework: str, format: str, variant: str) -> str:
    """sha256 (hex) over everything the artifact is made from: sources, weights, package versions, Python.

    Raises `UnknownModel`, `UnknownFormat` or `WeightsMissing`. Imports neither torch nor tensorflow.
    """
    raise NotImplementedError


def export(
    model: str, framework: str, format: str, variant: str, cache: Path = CACHE, timeout_s: float = EXPORT_TIMEOUT_S
) -> Artifact:
    """The artifact from the cache, or exported now in a subprocess; raises `ExportError` with stage `export`.

    A cached artifact that differs from its manifest is thrown away and exported again.
    """
    raise NotImplementedError


def reference(model: str, cache: Path = CACHE, timeout_s: float = EXPORT_TIMEOUT_S) -> Reference:
    """The torch source's answers, from the cache or computed now; raises `ExportError` with stage `export`."""
    raise NotImplementedError


def verify(
    artifact: Artifact, runtime: str, cache: Path = CACHE, threads: int = 1, timeout_s: float = VERIFY_TIMEOUT_S
) -> tuple[Parity, ...]:
    """Run the artifact in a subprocess through `serving.reference.runtimes` on all parity inputs.

    Returns the hops in order: `source` (tensorflow only), then `artifact`. Wrong values are a Parity that did not pass;
    an artifact that does not load or run raises `ExportError` with stage `verify`. The answer is cached.
    """
    raise NotImplementedError
