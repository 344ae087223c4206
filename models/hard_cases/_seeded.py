"""Seeded weights and inputs of hard cases, and what fills a module of either framework with them.

How a case is written (`data_dependent_branch.py` and `data_dependent_loop.py` are examples):

- `case() -> HardCase` at the top, `_torch()`, `_keras()` or `_tensorflow()`, and `_inputs()` below; the file's name is
  the case's. torch, tensorflow and keras are imported inside the functions, and the modules are classes inside them.
- Weights are `weights("case", {"dense.weight": (out, in), …})`, canonical as in `models/weights.py`: torch's names and
  layout. The torch module takes them by `fill`, a Keras layer by `dense` below or a rule of `models.weights`, and a
  `tf.Module` by `tf_module`, where Keras cannot say it. Inputs come from `generator("case")`.
- The module is as a user of that framework would write it, never bent to please an exporter; nor must it fail for what
  is not its feature: a torch module's numbers are its attributes, since TorchScript reads no global of a file.
- Where a framework has no honest equivalent the builder is None and `absent` says why.
- A wrong implementation shows: outputs are not tiny, both branches are taken, masks keep different counts, lengths
  differ, a swap of two tensors changes values. Nothing in the inputs is close to a threshold, where arithmetic decides.
- Every dynamic axis that an input names has at least three sizes, 1 among them where it may be 1, and `batch` has 8
  too. Of several dynamic axes each has an input that differs from the first in that axis alone. An axis that only an
  output names depends on values, and has its bounds in `axes` too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models import weights as rules

Weights = dict[str, np.ndarray]


def generator(case: str, purpose: str = "inputs") -> np.random.Generator:
    """The case's own source of numbers; another purpose gives other numbers."""
    return np.random.default_rng(list(f"{case}/{purpose}".encode()))


def weights(case: str, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    """float32 weights by torch's names: normal, and scaled so that outputs are of the size of inputs."""
    numbers = generator(case, "weights")
    return {
        name: (numbers.normal(size=shape) / np.sqrt(np.prod(shape[1:], initial=1.0))).astype(np.float32)
        for name, shape in shapes.items()
    }


def normal(numbers: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal numbers, float32."""
    return numbers.normal(size=shape).astype(np.float32)


def fill(module: Any, values: Mapping[str, np.ndarray]) -> Any:
    """The torch module in eval mode with these weights, all of them and no others; raises RuntimeError otherwise."""
    import torch

    module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in values.items()})
    return module.eval()


def dense(values: Mapping[str, np.ndarray], prefix: str, activation: str | None = None) -> Any:
    """A Keras Dense layer with the weights of torch's Linear of that prefix."""
    from keras import layers

    kernel, bias = rules.dense(values, prefix)
    layer = layers.Dense(kernel.shape[1], activation=activation, name=prefix)
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer


def tf_module(values: Mapping[str, np.ndarray], answer: Callable[[Any, Any], Any], **resources: Any) -> Any:
    """A `tf.Module` that answers `answer(self, inputs)`, both dicts of tensors by name.

    Its variables are `self.held[name]`, and what else it must keep (a lookup table) is an attribute each.
    """
    import tensorflow as tf

    class Twin(tf.Module):  # type: ignore[misc]  # tensorflow is not followed by mypy
        def __init__(self) -> None:
            super().__init__()
            self.held = {name: tf.Variable(array, name=name) for name, array in values.items()}
            for name, resource in resources.items():
                setattr(self, name, resource)

        def __call__(self, inputs: Any, training: bool = False) -> Any:  # noqa: ARG002
            return answer(self, inputs)

    return Twin()
