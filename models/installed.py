"""Files that installed packages bring along, such as weights and photographs; no code of theirs is imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def find(package: str, name: str) -> Path | None:
    """The package's file of that name, such as `model.safetensors`; None where the package or the file is absent."""
    try:
        listed = distribution(package).files or []
    except PackageNotFoundError:
        return None
    paths = (Path(str(found.locate())) for found in listed if found.name == name)
    return next((path for path in paths if path.is_file()), None)
