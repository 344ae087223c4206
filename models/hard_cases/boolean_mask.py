"""A boolean mask as an index: how many rows come out depends on what the rows hold."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import fill, generator, normal, tf_module, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, ANSWERS = "boolean_mask", 5, 3
WEIGHTS = weights(NAME, {"dense.weight": (ANSWERS, FEATURES), "dense.bias": (ANSWERS,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="boolean mask (output shape from values)",
        summary="the rows whose sum is positive, through a dense layer",
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES)),),
        outputs=(TensorSpec("y", "float32", ("kept", ANSWERS)),),
        axes={"batch": (1, 64), "kept": (0, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Masked(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = torch.nn.Linear(FEATURES, ANSWERS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.dense(x[x.sum(dim=1) > 0])

    return fill(Masked(), WEIGHTS)


def _tensorflow() -> Any:
    """A tf.Module: a Keras model keeps its batch."""
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:
        x = inputs["x"]
        kept = tf.boolean_mask(x, tf.reduce_sum(x, axis=1) > 0)
        return {"y": tf.matmul(kept, self.held["dense.weight"], transpose_b=True) + self.held["dense.bias"]}

    return tf_module(WEIGHTS, answer)


def _inputs() -> list[Tensors]:
    """Of 1 row one is kept, then none; of 4, 8, 9 and 16 some; of 6 all, then none."""
    numbers = generator(NAME)
    means = ((1, 2.0), (1, -2.0), (4, 0.0), (8, 0.0), (9, 0.0), (16, 0.0), (6, 2.0), (6, -2.0))
    return [{"x": normal(numbers, rows, FEATURES) + mean} for rows, mean in means]
