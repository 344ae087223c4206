"""The contract of what is exported: one architecture and one set of weights, built by both frameworks.

Matched
├── ModelPair   a real model with real weights, that is also served, loaded and judged on a task
└── HardCase    a tiny module that holds one feature on which deployments trip
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import NoEquivalent

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


@dataclass(frozen=True, kw_only=True)
class Matched:
    """One architecture with the same weights in both frameworks, and the inputs on which its exports are compared.

    Inputs and outputs have the same names, dtypes and layout in both frameworks: whatever a framework prefers inside
    (NHWC, say) is its own business, so that one request body serves every artifact of the pair.
    """

    name: str
    summary: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    """A size that depends on the input's values, not on its shape, is a dynamic axis that no input names."""
    axes: Mapping[str, tuple[int, int]]
    """Smallest and largest size of each dynamic axis that inputs or outputs name."""
    torch_module: Callable[[], torch.nn.Module] | None
    """The source of truth in eval mode; called with tensors in the order of `inputs`, returns those of `outputs`
    (one tensor, or a tuple)."""
    keras_model: Callable[[], Any] | None
    """The twin, a `keras.Model`, or a `tf.Module` where Keras cannot say it; called with a dict by input name
    (`training=False`), returns a dict by output name. The source of truth where there is no torch module."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a framework ("torch", "tensorflow") has no honest equivalent, where it has none."""
    parity_inputs: Callable[[], Sequence[Tensors]]
    """Real inputs on which hops are compared, at three sizes of every dynamic axis that an input names, at least."""

    @property
    def frameworks(self) -> tuple[str, ...]:
        """Those that have it."""
        builders = {"torch": self.torch_module, "tensorflow": self.keras_model}
        return tuple(framework for framework, builder in builders.items() if builder is not None)

    def build(self, framework: str) -> Any:
        """The torch module in eval mode, or the twin; raises `NoEquivalent` where the framework has none."""
        builder = {"torch": self.torch_module, "tensorflow": self.keras_model}[framework]
        if builder is None:
            raise NoEquivalent(self.name, framework, self.absent.get(framework, "it says not why"))
        return builder()

    def calibration_inputs(self) -> Sequence[Tensors]:
        """What a static quantization may look at: never what the result is judged on, where there is something else."""
        return self.parity_inputs()


@dataclass(frozen=True, kw_only=True)
class ModelPair(Matched):
    """A model with real weights and real inputs, served and judged as its users would."""

    source: str
    """Where the architecture and the weights come from, and their licence."""
    weights: Callable[[], Path]
    """The canonical `.safetensors` file, in torch's layout; raises `WeightsMissing`."""
    load_inputs: Callable[[], Sequence[Tensors]]
    """Real inputs of batch 1, the requests of a load test; none of them is in the evaluation set."""
    evaluation_inputs: Callable[[], Sequence[Tensors]]
    """The held-out set in batches that a server is asked for."""
    quality: Callable[[Sequence[Tensors], Sequence[Tensors]], tuple[Quality, ...]]
    """`quality(outputs, reference_outputs)`, one entry per evaluation batch each; the first Quality is the headline."""

    def calibration_inputs(self) -> Sequence[Tensors]:
        """The load test's inputs: real, of batch 1, and not what the quality is measured on."""
        return self.load_inputs()


@dataclass(frozen=True, kw_only=True)
class HardCase(Matched):
    """One feature of real models on which ways to production trip, as small as it can be, with seeded weights."""

    feature: str
    """The feature in a few words, as a heading: "data-dependent loop"."""
