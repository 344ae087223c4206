"""Writes the published checkpoint as canonical weights: `python -m models.zoo.mobilenet_v2.convert FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from models import weights as rules
from models.zoo.mobilenet_v2.package import checkpoint


def main(path: Path) -> None:
    """Names and values are the checkpoint's own."""
    # Only tensors: a checkpoint is a pickle, which could run any code.
    rules.write(path, rules.from_state(torch.load(checkpoint(), map_location="cpu", weights_only=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
