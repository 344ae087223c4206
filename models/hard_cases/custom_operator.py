"""An operator of the user's own, in Python: a framework calls it, and no artifact has it inside."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from models.hard_cases._seeded import dense, fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, ANSWERS = "custom_operator", 6, 4
WEIGHTS = weights(NAME, {"dense.weight": (ANSWERS, FEATURES), "dense.bias": (ANSWERS,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="custom operator",
        summary="ranks of each row by an operator in Python (torch.library, tf.numpy_function), then a layer; "
        "no runtime has it: what is seen is how each way out says so",
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES)),),
        outputs=(TensorSpec("y", "float32", ("batch", ANSWERS)),),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def ranks(x: np.ndarray) -> np.ndarray:
    """0 for the smallest value of a row to 1 for its largest, float32."""
    found: np.ndarray = x.argsort(axis=1).argsort(axis=1) / (x.shape[1] - 1)
    return found.astype(np.float32)


@cache
def _register() -> None:
    """`torch.ops.deploy_compare.row_ranks`, once in a process: a name of torch's dispatcher is taken for good."""
    import torch

    def row_ranks(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(ranks(x.numpy()))

    # The schema by hand: it is else read from annotations, which `from __future__ import annotations` makes text.
    operator = torch.library.custom_op(
        "deploy_compare::row_ranks", row_ranks, mutates_args=(), schema="(Tensor x) -> Tensor"
    )
    operator.register_fake(torch.empty_like)


def _torch() -> Any:
    import torch

    _register()

    class Ranked(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = torch.nn.Linear(FEATURES, ANSWERS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.dense(torch.ops.deploy_compare.row_ranks(x))

    return fill(Ranked(), WEIGHTS)


def _keras() -> Any:
    import keras
    import tensorflow as tf

    class Ranks(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return tf.ensure_shape(tf.numpy_function(ranks, [x], tf.float32), x.shape)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    x = keras.Input((FEATURES,), name="x")
    return keras.Model({"x": x}, {"y": dense(WEIGHTS, "dense")(Ranks()(x))})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, FEATURES)} for batch in (1, 3, 8)]
