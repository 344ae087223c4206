"""The source, with torchvision's names and numbers: imported only inside functions, because importing it imports torch.

https://arxiv.org/abs/1801.04381
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models import weights as rules

STEM, LAST, CLASSES = 32, 1280, 1000
# By stage: how much wider a block is inside, its channels, how many blocks, the stride of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Widen, filter each channel on its own, narrow; around it a shortcut where the shape stays the same."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = channels_in * widening
        widen = [_convolution(channels_in, wide, 1)] if widening > 1 else []
        self.conv = nn.Sequential(
            *widen,
            _convolution(wide, wide, 3, stride, groups=wide),
            nn.Conv2d(wide, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):  # type: ignore[misc]
    """Image float32 (batch, 3, 224, 224) → logits float32 (batch, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        features: list[nn.Module] = [_convolution(3, STEM, 3, stride=2)]
        channels_in = STEM
        for widening, channels, blocks, stride in STAGES:
            for block in range(blocks):
                features.append(InvertedResidual(channels_in, channels, stride if block == 0 else 1, widening))
                channels_in = channels
        self.features = nn.Sequential(*features, _convolution(channels_in, LAST, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(LAST, CLASSES))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(image).mean((2, 3)))


def load(weights: Path) -> MobileNetV2:
    """The published module in eval mode."""
    module: MobileNetV2 = MobileNetV2().eval()
    rules.fill(module, weights)
    return module


def _convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU6(),
    )
