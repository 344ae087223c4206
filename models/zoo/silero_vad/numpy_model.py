"""The forward pass in NumPy, which makes the states that a stream has in use: no framework is judged by its own states.

It is small: a step of one stream is half a million multiplications.
"""

from __future__ import annotations

import numpy as np

from models.weights import Weights

HOP, WINDOW, BINS, PADDING = 128, 256, 129, 64


def step(weights: Weights, audio: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Audio (batch, 576), state (2, batch, 128) → probability (batch, 1), new state, all float32."""
    padded = np.pad(audio, ((0, 0), (0, PADDING)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)[:, ::HOP]
    spectrum = frames @ weights["stft_conv.weight"][:, 0].T
    x = np.sqrt(spectrum[..., :BINS] ** 2 + spectrum[..., BINS:] ** 2).transpose(0, 2, 1)
    for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2), ("conv4", 1)):
        x = np.maximum(_convolution(weights, name, x, stride), 0)
    gates = (
        x[:, :, 0] @ weights["lstm_cell.weight_ih"].T
        + state[0] @ weights["lstm_cell.weight_hh"].T
        + weights["lstm_cell.bias_ih"]
        + weights["lstm_cell.bias_hh"]
    )
    write, keep, candidate, read = np.split(gates, 4, axis=1)
    memory = _sigmoid(keep) * state[1] + _sigmoid(write) * np.tanh(candidate)
    hidden = _sigmoid(read) * np.tanh(memory)
    logit = np.maximum(hidden, 0) @ weights["final_conv.weight"][:, :, 0].T + weights["final_conv.bias"]
    return _sigmoid(logit), np.stack((hidden, memory))


def _convolution(weights: Weights, name: str, x: np.ndarray, stride: int) -> np.ndarray:
    """(batch, channels, steps), one zero on either side, kernels of 3."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=2)[:, :, ::stride]
    summed: np.ndarray = np.einsum("bcsk,ock->bos", windows, weights[f"{name}.weight"], optimize=True)
    return summed + weights[f"{name}.bias"][:, None]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)
