"""The source, rebuilt from the published weights: imported only inside functions, because importing it imports torch.

https://github.com/snakers4/silero-vad; that it is the published model, a test shows against the published ONNX file.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from models import weights as rules

WINDOW, HOP, BINS = 256, 128, 129  # samples, samples, frequencies of the spectrum
PADDING = 64  # samples mirrored at the end of the chunk
WIDTH = 128


class SileroVad(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Audio float32 (batch, 576), state float32 (2, batch, 128) → probability (batch, 1), new state (2, batch, 128).

    The state is the LSTM cell's output and its memory. The chunk is 64 samples of context and 512 new ones: 4 frames
    of spectrum, of which the strides of the convolutions leave exactly one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.padding, self.bins = PADDING, BINS
        self.stft_conv = nn.Conv1d(1, 2 * BINS, WINDOW, HOP, bias=False)
        self.conv1 = nn.Conv1d(BINS, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, WIDTH, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(WIDTH, WIDTH)
        self.final_conv = nn.Conv1d(WIDTH, 1, 1)

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        padded = functional.pad(audio.unsqueeze(1), (0, self.padding), "reflect")
        real, imaginary = self.stft_conv(padded).split(self.bins, dim=1)
        x = torch.sqrt(real**2 + imaginary**2)
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        x = torch.relu(self.conv4(torch.relu(self.conv3(x))))
        hidden, memory = self.lstm_cell(x.squeeze(-1), (state[0], state[1]))
        probability = torch.sigmoid(self.final_conv(torch.relu(hidden).unsqueeze(-1))).squeeze(-1)
        return probability, torch.stack((hidden, memory))


def load(weights: Path) -> SileroVad:
    """The published module in eval mode."""
    module: SileroVad = SileroVad().eval()
    rules.fill(module, weights)
    return module
