"""Canonical weights (`.safetensors`, torch's names and layout), and what Keras's layers make of them.

Each rule takes the canonical weights and a layer's prefix and returns what the Keras layer's `set_weights` takes, in
its order. They are pure; that they are right is what the contract tests of the zoo show.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

Weights = Mapping[str, np.ndarray]


def read(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a canonical file; needs neither framework. Raises OSError or `SafetensorError`."""
    from safetensors.numpy import load_file

    tensors: dict[str, np.ndarray] = load_file(path)
    return tensors


def write(path: Path, weights: Weights) -> None:
    """Write a canonical file; the same weights give the same bytes."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in weights.items()}, path)


def conv2d(weights: Weights, prefix: str) -> list[np.ndarray]:
    """Conv2D without bias: kernel (out, in, h, w) → (h, w, in, out)."""
    return [weights[f"{prefix}.weight"].transpose(2, 3, 1, 0)]


def dense(weights: Weights, prefix: str) -> list[np.ndarray]:
    """Dense: kernel (out, in) → (in, out), and the bias (out,)."""
    return [weights[f"{prefix}.weight"].T, weights[f"{prefix}.bias"]]


def dense_after_flatten(weights: Weights, prefix: str, channels: int, height: int, width: int) -> list[np.ndarray]:
    """Dense on a flattened image: torch flattens (channels, height, width), Keras (height, width, channels)."""
    kernel, bias = weights[f"{prefix}.weight"], weights[f"{prefix}.bias"]
    reordered = kernel.reshape(-1, channels, height, width).transpose(2, 3, 1, 0)
    return [reordered.reshape(channels * height * width, -1), bias]


def batch_norm(weights: Weights, prefix: str) -> list[np.ndarray]:
    """BatchNormalization: gamma, beta, moving mean, moving variance, each (channels,); epsilon is the layer's own."""
    return [weights[f"{prefix}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]


def layer_norm(weights: Weights, prefix: str) -> list[np.ndarray]:
    """LayerNormalization: gamma and beta, each (features,); epsilon is the layer's own."""
    return [weights[f"{prefix}.weight"], weights[f"{prefix}.bias"]]


def embedding(weights: Weights, prefix: str) -> list[np.ndarray]:
    """Embedding: the table (rows, features), the same in both."""
    return [weights[f"{prefix}.weight"]]
