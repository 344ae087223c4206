"""Content addresses: what has the same bytes is built once."""

from __future__ import annotations

import hashlib
from pathlib import Path


def of(*parts: str | Path) -> str:
    """16 hex digits of the sha256 over texts, files and the `files` of folders, by relative path."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            _add(sha, part.encode())
            continue
        for file in files(part):
            _add(sha, file.relative_to(part).as_posix().encode())
            _add(sha, file.read_bytes())
    return sha.hexdigest()[:16]


def files(part: Path) -> list[Path]:
    """The file itself, or all in a folder, sorted, but hidden ones and what Python compiled."""
    if part.is_file():
        return [part]
    found = [(file, file.relative_to(part).parts) for file in part.rglob("*") if file.is_file()]
    return sorted(file for file, names in found if not any(name[0] == "." or name == "__pycache__" for name in names))


def _add(sha: hashlib._Hash, data: bytes) -> None:
    sha.update(len(data).to_bytes(8, "little"))  # so that no two lists of parts share one stream of bytes
    sha.update(data)
