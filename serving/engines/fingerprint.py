"""Content addresses: what has the same bytes is built once."""

from __future__ import annotations

import hashlib
from pathlib import Path


def of(*parts: str | Path) -> str:
    """16 hex digits of the sha256 over texts, files and folders (their .py files, by relative path)."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            _add(sha, part.encode())
            continue
        files = sorted(part.rglob("*.py")) if part.is_dir() else [part]
        for file in files:
            _add(sha, file.relative_to(part).as_posix().encode())
            _add(sha, file.read_bytes())
    return sha.hexdigest()[:16]


def _add(sha: hashlib._Hash, data: bytes) -> None:
    sha.update(len(data).to_bytes(8, "little"))  # so that no two lists of parts share one stream of bytes
    sha.update(data)
