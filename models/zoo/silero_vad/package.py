"""The published weights inside the installed package; its Python code is never imported."""

from __future__ import annotations

import hashlib
from pathlib import Path

from models import installed
from models.errors import WeightsMissing

DISTRIBUTION = "silero-vad"
FILE = "silero_vad_16k.safetensors"
SHA256 = "c59271c284ae9c8335d795d60e0bfdb71aaaceec578d9bd9ffc1b8153c319ea1"
REMEDY = f"install it with: pip install --no-deps {DISTRIBUTION}==6.2.3"


def weights() -> Path:
    """The `.safetensors` with the bytes that were published; raises `WeightsMissing` where it is absent or another."""
    path = installed.find(DISTRIBUTION, FILE)
    if path is None:
        raise WeightsMissing("silero_vad", f"{FILE} in the package {DISTRIBUTION}", REMEDY)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise WeightsMissing("silero_vad", f"{path} of sha256 {SHA256}, but other bytes ({found})", REMEDY)
    return path
