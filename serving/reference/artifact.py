"""What an exported artifact is on disk: its files and a `manifest.json` that says what they are."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

MANIFEST = "manifest.json"
SCHEMA = 1


class ArtifactError(Exception):
    """The artifact is not what its manifest says, or has none that can be read."""


@dataclass(frozen=True)
class Tensor:
    """A tensor's wire name, NumPy dtype name and shape; a `str` in the shape names a dynamic axis."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Manifest:
    """An artifact's own description. The order of `inputs` and `outputs` is the positional order of the model."""

    model: str
    framework: str
    format: str
    variant: str
    entry: str
    """The file or folder a runtime opens, relative to the artifact."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    files: dict[str, str]
    """sha256 (hex) of each file, by its path relative to the artifact."""
    versions: dict[str, str]
    """Versions of the packages that made it."""
    export_s: float
    schema: int = SCHEMA

    @property
    def id(self) -> str:
        """`digits_cnn-torch-onnx-fp32`: the name under which a server serves it."""
        return f"{self.model}-{self.framework}-{self.format}-{self.variant}"


def write(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into the artifact's folder."""
    (folder / MANIFEST).write_text(json.dumps(dataclasses.asdict(manifest), indent=2) + "\n")


def read(folder: Path) -> Manifest:
    """Read an artifact's manifest; raises `ArtifactError` where it is missing, malformed or of another schema."""
    path = folder / MANIFEST
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        if fields.get("schema") != SCHEMA:
            raise ArtifactError(f"{path}: expected schema {SCHEMA}, found {fields.get('schema')!r}")
        return msgspec.convert(fields, Manifest)
    except OSError as exc:
        raise ArtifactError(f"{path}: {exc.strerror or exc}") from exc
    except (ValueError, AttributeError, RecursionError) as exc:
        raise ArtifactError(f"{path}: not a manifest: {exc}") from exc


def digests(folder: Path) -> dict[str, str]:
    """sha256 (hex) of every file below the folder but the manifest, by relative path, sorted.

    Raises `ArtifactError` for a link to a folder, into which nobody looks.
    """
    found = sorted(folder.rglob("*"))
    if linked := next((p for p in found if p.is_symlink() and p.is_dir()), None):
        raise ArtifactError(f"{linked}: is a link to a folder")
    files = [p for p in found if p.is_file() and p.relative_to(folder).as_posix() != MANIFEST]
    return {p.relative_to(folder).as_posix(): _sha256(p) for p in files}


def verify(folder: Path) -> Manifest:
    """Read the manifest and check every file against its hash; raises `ArtifactError` naming the first that differs."""
    manifest = read(folder)
    found = digests(folder)
    for name in sorted(manifest.files.keys() | found.keys()):
        expected, actual = manifest.files.get(name), found.get(name)
        if expected != actual:
            fault = "is missing" if actual is None else "is not in the manifest" if expected is None else "was changed"
            raise ArtifactError(f"{folder / name}: {fault}")
    if not any(name == manifest.entry or name.startswith(f"{manifest.entry}/") for name in found):
        raise ArtifactError(f"{folder / MANIFEST}: entry {manifest.entry!r} is not among its files")
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
