"""The source, with torchvision's names: imported only inside functions, because importing it imports torch.

https://arxiv.org/abs/1512.03385
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models import weights as rules

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, and the stride of the first of the two blocks
CLASSES = 1000


class Block(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Two 3×3 convolutions and the shortcut around them, which is a 1×1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels_out:
            shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(inside + self.downsample(x))


class ResNet18(nn.Module):  # type: ignore[misc]
    """Image float32 (batch, 3, 224, 224) → logits float32 (batch, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels_in = 64
        for index, (channels, stride) in enumerate(STAGES, start=1):
            blocks = nn.Sequential(Block(channels_in, channels, stride), Block(channels, channels, 1))
            self.add_module(f"layer{index}", blocks)
            channels_in = channels
        self.fc = nn.Linear(channels_in, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.fc(self.features(image))

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """What the last layer sees: (batch, 512), none of it negative."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(image))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean((2, 3))


def load(weights: Path) -> ResNet18:
    """The module in eval mode."""
    module: ResNet18 = ResNet18().eval()
    rules.fill(module, weights)
    return module
