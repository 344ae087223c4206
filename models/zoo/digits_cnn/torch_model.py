"""The source: imported only inside functions, because importing it imports torch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


class DigitsCnn(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Image float32 (batch, 1, 8, 8) → logits float32 (batch, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(64 * 2 * 2, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm1(self.conv1(image)))
        x = self.pool(torch.relu(self.norm2(self.conv2(x))))
        x = self.pool(torch.relu(self.norm3(self.conv3(x))))
        return self.head(torch.relu(self.hidden(x.flatten(1))))


def load(weights: Path) -> DigitsCnn:
    """The trained module in eval mode."""
    from safetensors.torch import load_file

    module: DigitsCnn = DigitsCnn().eval()
    # `num_batches_tracked` is bookkeeping of training, not a weight, and not in the canonical file.
    missing, unexpected = module.load_state_dict(load_file(weights), strict=False)
    faults = [name for name in missing if not name.endswith("num_batches_tracked")] + unexpected
    if faults:
        raise ValueError(f"{weights.name}: tensors missing or unexpected: {', '.join(faults)}")
    return module
