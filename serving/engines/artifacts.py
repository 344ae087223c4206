"""Artifacts as engines handle them: their name in file names, and a copy that a server without rights can read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.reference.artifact import ArtifactError, read


def label(artifact: Path) -> str:
    """The manifest's id; the folder's name where it has none, which the server will refuse in its own words."""
    try:
        return read(artifact).id
    except ArtifactError:
        return artifact.name


def log_path(logs: Path, server: str, artifact: Path) -> Path:
    """Where the log of a server with that artifact is kept."""
    logs.mkdir(parents=True, exist_ok=True)
    return logs / f"{server}-{label(artifact)}.log"


@contextmanager
def readable_by_all(artifact: Path, scratch: Path) -> Iterator[Path]:
    """The folder itself where others may read all of it, else a copy below `scratch` that they may, gone afterwards.

    The folders above it do not matter: a container sees only what is mounted.
    """
    if all(_readable(path) for path in [artifact, *artifact.rglob("*")]):
        yield artifact.resolve()
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = Path(shutil.copytree(artifact, Path(folder) / "artifact")).resolve()
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield copy


def _readable(path: Path) -> bool:
    needed = 0o005 if path.is_dir() else 0o004
    return path.stat().st_mode & needed == needed
