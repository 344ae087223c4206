"""Canonical weights (`.safetensors`, torch's names and layout), and what Keras's layers make of them.

Each rule takes the canonical weights and a layer's prefix and returns what the Keras layer's `set_weights` takes, in
its order. They are pure; that they are right is what the contract tests of the zoo show.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

Weights = Mapping[str, np.ndarray]

BOOKKEEPING = "num_batches_tracked"


def read(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a canonical file; needs neither framework. Raises OSError or `SafetensorError`."""
    from safetensors.numpy import load_file

    tensors: dict[str, np.ndarray] = load_file(path)
    return tensors


def write(path: Path, weights: Weights) -> None:
    """Write a canonical file; the same weights give the same bytes."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in weights.items()}, path)


def from_state(state: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """A torch module's `state_dict` as weights; `num_batches_tracked` is bookkeeping of training and left out."""
    return {name: tensor.numpy() for name, tensor in state.items() if not name.endswith(BOOKKEEPING)}


def fill(module: torch.nn.Module, path: Path) -> None:
    """Load a canonical file into the torch module it is of; raises ValueError if a tensor is missing or unexpected."""
    from safetensors.torch import load_file

    missing, unexpected = module.load_state_dict(load_file(path), strict=False)
    faults = [name for name in missing if not name.endswith(BOOKKEEPING)] + unexpected
    if faults:
        raise ValueError(f"{path.name}: tensors missing or unexpected: {', '.join(faults)}")


def conv2d(weights: Weights, prefix: str) -> list[np.ndarray]:
    """Conv2D without bias: kernel (out, in, h, w) → (h, w, in, out)."""
    return [weights[f"{prefix}.weight"].transpose(2, 3, 1, 0)]


def depthwise_conv2d(weights: Weights, prefix: str) -> list[np.ndarray]:
    """DepthwiseConv2D without bias, one filter a channel: kernel (channels, 1, h, w) → (h, w, channels, 1)."""
    return [weights[f"{prefix}.weight"].transpose(2, 3, 0, 1)]


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
