"""The contract of a model pair: one architecture and one set of weights, built by both frameworks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

Tensors = dict[str, np.ndarray]
"""Arrays by tensor name: what goes into a model, or what comes out."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor's name, NumPy dtype name (`float32`, `int64`, …) and shape; a `str` in it names a dynamic axis."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Quality:
    """One task metric of a set of outputs (unitless, higher is better), and the same metric of the source model."""

    metric: str
    value: float
    reference: float


@dataclass(frozen=True)
class ModelPair:
    """One architecture with the same weights in both frameworks, and the real inputs it is judged on.

    Inputs and outputs have the same names, dtypes and layout in both frameworks: whatever a framework prefers inside
    (NHWC, say) is its own business, so that one request body serves every artifact of the pair.
    """

    name: str
    summary: str
    source: str
    """Where the architecture and the weights come from, and their licence."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    axes: Mapping[str, tuple[int, int]]
    """Smallest and largest size of each dynamic axis that inputs or outputs name."""
    weights: Callable[[], Path]
    """The canonical `.safetensors` file, in torch's layout; raises `WeightsMissing`."""
    torch_module: Callable[[], torch.nn.Module]
    """The source of truth in eval mode; called with tensors in the order of `inputs`, returns those of `outputs`
    (one tensor, or a tuple)."""
    keras_model: Callable[[], Any]
    """The twin, a `keras.Model` called with a dict by input name (`training=False`); returns a dict by output name."""
    parity_inputs: Callable[[], Sequence[Tensors]]
    """Real inputs at several sizes of every dynamic axis (batch 1, 3 and 8 at least), on which hops are compared."""
    load_inputs: Callable[[], Sequence[Tensors]]
    """Real inputs of batch 1, the requests of a load test."""
    evaluation_inputs: Callable[[], Sequence[Tensors]]
    """The held-out set in batches that a server is asked for."""
    quality: Callable[[Sequence[Tensors], Sequence[Tensors]], tuple[Quality, ...]]
    """`quality(outputs, reference_outputs)`, one entry per evaluation batch each; the first Quality is the headline."""
