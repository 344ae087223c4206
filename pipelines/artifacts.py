"""Artifacts and references from a content-addressed cache: made once, in a subprocess of their own, checked always.

cache/<key>/artifact/               what is deployed: the exported files and manifest.json
cache/<key>/facts.json              what the export cost and said
cache/<key>/source_parity.json      tensorflow only, where there is a torch source: the Keras twin against it
cache/<key>/verified-<digest>.json  the artifact, run in process, against the torch source
cache/<key>/{parity,load,evaluation}.npz    a reference (its own key)
cache/<key>/log.txt                 what the subprocess wrote
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache as remembered
from pathlib import Path

from models import cases, catalog
from models.cases import Reference
from models.fingerprint import digest, environment, model_files, model_packages, sources, versions
from pipelines import facts, formats, parity, worker
from pipelines.facts import Facts
from pipelines.launch import Launch, Program
from pipelines.parity import Parity
from pipelines.worker_process import ExportError, Stage, run
from serving.reference import artifact as on_disk
from serving.reference.artifact import ArtifactError, Manifest

__all__ = [
    "CACHE",
    "Artifact",
    "ExportError",
    "differing",
    "discard",
    "export",
    "has_source_hop",
    "key",
    "reference",
    "reference_folder",
    "verify",
    "workspace",
]

CACHE = Path(__file__).parents[1] / ".cache" / "artifacts"
RUNTIMES = Path(on_disk.__file__).with_name("runtimes")
EXPORT_TIMEOUT_S = 600.0
VERIFY_TIMEOUT_S = 300.0

WORKER: Launch = Program("pipelines.worker").run
"""A fresh process for each job."""

LOG = "log.txt"
MAKING = ".making-"


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
    facts: Facts


def key(model: str, framework: str, format: str, variant: str) -> str:
    """sha256 (hex) over everything the artifact is made from: sources, weights, package versions, Python.

    Raises `UnknownModel`, `UnknownFormat` or `WeightsMissing`. Imports neither torch nor tensorflow.
    """
    exporter = formats.load(format)
    shared = Path(formats.__file__).parent.glob("_*.py")
    words = [model, framework, format, variant, _versions(exporter.PACKAGES), _versions(model_packages(model))]
    return digest(words, [*model_files(model), *_worker_files(), *shared, Path(exporter.__file__)])


def folder(model: str, framework: str, format: str, variant: str, cache: Path = CACHE) -> Path:
    """Where the artifact is once it is exported: its files and `manifest.json`. Raises as `key`."""
    return cache / key(model, framework, format, variant) / worker.ARTIFACT


def has_source_hop(model: str, framework: str) -> bool:
    """Whether a twin is exported that a torch source can judge; a twin that is its own source is compared with nothing.

    Raises `UnknownModel`. Imports no framework.
    """
    return framework == "tensorflow" and catalog.load(model).torch_module is not None


@remembered
def _versions(packages: tuple[str, ...]) -> str:
    """Hundreds of keys are made at once, and every look at a package reads its files."""
    return str(versions(packages))


def export(
    model: str,
    framework: str,
    format: str,
    variant: str,
    cache: Path = CACHE,
    timeout_s: float = EXPORT_TIMEOUT_S,
    launch: Launch = WORKER,
) -> Artifact:
    """The artifact from the cache, or exported now in a subprocess; raises `ExportError` with stage `export`.

    A cached artifact that differs from its manifest is thrown away and exported again.
    """
    name = key(model, framework, format, variant)
    hop = has_source_hop(model, framework)
    if found := _cached(cache / name, hop, cached=True):
        return found
    arguments = [model, framework, format, variant]
    against = [str(_reference(model, cache, timeout_s)[0])] if hop else []
    with _making(cache, name) as scratch:
        run("export", ["export", *arguments, str(scratch), *against], scratch / LOG, timeout_s, launch)
    made = _cached(cache / name, hop, cached=False)
    if made is None:
        raise ExportError("export", "converter_error", "the artifact changed while it was being put away", "")
    return made


def discard(key: str, cache: Path = CACHE) -> None:
    """Throw an artifact away."""
    shutil.rmtree(cache / key, ignore_errors=True)


def differing(
    artifact: Artifact, cache: Path = CACHE, timeout_s: float = EXPORT_TIMEOUT_S, launch: Launch = WORKER
) -> tuple[str, ...]:
    """The files that another export of the same writes with another hash, or not at all; raises `ExportError`."""
    made = artifact.manifest
    with workspace("export", cache) as scratch:
        arguments = [made.model, made.framework, made.format, made.variant, str(scratch)]
        run("export", ["export", *arguments], scratch / LOG, timeout_s, launch)
        again = on_disk.read(scratch / worker.ARTIFACT).files
    return tuple(sorted(name for name in made.files.keys() | again.keys() if made.files.get(name) != again.get(name)))


def reference_folder(
    model: str, cache: Path = CACHE, timeout_s: float = EXPORT_TIMEOUT_S, launch: Launch = WORKER
) -> Path:
    """Where the torch source's answers are, computed now where they are not; raises `ExportError`, stage `export`."""
    return _reference(model, cache, timeout_s, launch)[0]


def reference(model: str, cache: Path = CACHE, timeout_s: float = EXPORT_TIMEOUT_S) -> Reference:
    """The torch source's answers, from the cache or computed now; raises `ExportError` with stage `export`."""
    return _reference(model, cache, timeout_s)[1]


def verify(
    artifact: Artifact, runtime: str, cache: Path = CACHE, threads: int = 1, timeout_s: float = VERIFY_TIMEOUT_S
) -> tuple[Parity, ...]:
    """Run the artifact in a subprocess through `serving.reference.runtimes` on all parity inputs.

    Returns the hops in order: `source` (see `has_source_hop`), then `artifact`. Wrong values are a Parity that did not
    pass; an artifact that does not load or run raises `ExportError` with stage `verify`. The answer is cached.
    """
    entry = artifact.folder.parent
    against, _ = _reference(artifact.manifest.model, cache, timeout_s)
    # Any package may change what a runtime answers, and asking again costs seconds.
    runner = digest([runtime, str(threads), against.name, environment()], [*_worker_files(), *sources(RUNTIMES)])
    answer = entry / f"verified-{runner[:16]}.json"
    hop = has_source_hop(artifact.manifest.model, artifact.manifest.framework)
    hops = [worker.read_parity(entry / worker.SOURCE_PARITY)] if hop else []
    with suppress(OSError, ValueError, TypeError):
        return (*hops, worker.read_parity(answer))
    with workspace("verify", entry.parent) as scratch:
        made = scratch / answer.name
        arguments = [str(artifact.folder), runtime, str(threads), str(against), str(made)]
        run("verify", ["verify", *arguments], scratch / LOG, timeout_s)
        made.replace(answer)
    return (*hops, worker.read_parity(answer))


def _reference(model: str, cache: Path, timeout_s: float, launch: Launch = WORKER) -> tuple[Path, Reference]:
    """The reference's folder in the cache, and what is in it."""
    name = digest([model, _versions(model_packages(model))], [*model_files(model), *_worker_files()])
    folder = cache / name
    with suppress(OSError, EOFError, ValueError, zipfile.BadZipFile):  # absent, or no longer what was written
        return folder, _read(folder)
    shutil.rmtree(folder, ignore_errors=True)
    with _making(cache, name) as scratch:
        run("export", ["reference", model, str(scratch)], scratch / LOG, timeout_s, launch)
    return folder, _read(folder)


def _read(folder: Path) -> Reference:
    return Reference(**{name: cases.load(folder / f"{name}.npz") for name in cases.SETS})


def _worker_files() -> list[Path]:
    """The worker decides what is written as much as an exporter does."""
    return [Path(str(module.__file__)) for module in (worker, facts, parity, on_disk)]


def _cached(entry: Path, hop: bool, *, cached: bool) -> Artifact | None:
    """The artifact of a cache entry; None where there is none, or none that is as it was made, its source hop told."""
    folder = entry / worker.ARTIFACT
    try:
        manifest = on_disk.verify(folder)
        if hop:
            worker.read_parity(entry / worker.SOURCE_PARITY)
        kept = facts.read(entry)
    except (ArtifactError, OSError, ValueError, TypeError, KeyError):
        shutil.rmtree(entry, ignore_errors=True)
        return None
    size = sum((folder / name).stat().st_size for name in manifest.files)
    return Artifact(entry.name, folder, manifest, size, cached, kept)


@contextmanager
def _making(cache: Path, name: str) -> Iterator[Path]:
    """A folder that becomes `cache/name` at once when the block ends well, and else is gone."""
    with workspace("export", cache) as scratch:
        yield scratch
        scratch.chmod(0o755)
        try:
            scratch.rename(cache / name)
        except OSError as exc:
            # Another run made the same entry meanwhile; it is as good as ours.
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


@contextmanager
def workspace(stage: Stage, cache: Path) -> Iterator[Path]:
    """A folder beside the cache's entries for as long as the block lasts; a disk that is full is an `ExportError`."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _sweep(cache)
        with tempfile.TemporaryDirectory(
            prefix=f"{MAKING}{os.getpid()}-", dir=cache, ignore_cleanup_errors=True
        ) as scratch:
            yield Path(scratch)
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        raise ExportError(stage, "disk_full", f"no space left for {cache}", str(exc)) from exc


def _sweep(cache: Path) -> None:
    """Remove what processes that were killed left behind."""
    for left in cache.glob(f"{MAKING}*-*"):
        try:
            os.kill(int(left.name.removeprefix(MAKING).split("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except PermissionError:  # alive, and another user's
            continue
