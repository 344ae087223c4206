"""The published weights inside the installed package; its Python code is never imported."""

from __future__ import annotations

from pathlib import Path

from models.installed import Published

PUBLISHED = Published("silero_vad", "silero-vad", "6.2.3")
FILE = "silero_vad_16k.safetensors"
SHA256 = "c59271c284ae9c8335d795d60e0bfdb71aaaceec578d9bd9ffc1b8153c319ea1"


def weights() -> Path:
    """The `.safetensors` with the bytes that were published; raises `WeightsMissing` where it is absent or another."""
    return PUBLISHED.file(FILE, SHA256)
