"""Python's `while` on the value of a tensor: a step is taken until the longest row is at most 1 long."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES = "data_dependent_loop", 5
SHRINK = 0.8
"""Each step rotates a row and makes it so much shorter: the loop ends, and each of its steps shows."""


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="data-dependent loop",
        summary="a linear step until the longest row is at most 1 long: `while` from torch, an operator in TensorFlow",
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES)),),
        outputs=(TensorSpec("y", "float32", ("batch", FEATURES)), TensorSpec("steps", "int64", ())),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _step() -> np.ndarray:
    """float32 (features, features): an orthogonal matrix times `SHRINK`."""
    rotation, _ = np.linalg.qr(weights(NAME, {"step": (FEATURES, FEATURES)})["step"].astype(np.float64))
    return (SHRINK * rotation).astype(np.float32)


def _torch() -> Any:
    import torch

    class Loop(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.step = torch.nn.Linear(FEATURES, FEATURES, bias=False)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            steps = torch.zeros((), dtype=torch.int64)
            while torch.linalg.vector_norm(x, dim=1).max() > 1:
                x = self.step(x)
                steps = steps + 1
            return x, steps

    return fill(Loop(), {"step.weight": _step()})


def _keras() -> Any:
    import keras
    from keras import ops

    class Loop(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.step = self.add_weight(shape=(FEATURES, FEATURES), name="step")
            self.step.assign(_step().T)

        def call(self, x: Any) -> Any:
            return ops.while_loop(
                lambda x, steps: ops.max(ops.norm(x, axis=1)) > 1,  # noqa: ARG005
                lambda x, steps: (ops.matmul(x, self.step), steps + 1),
                (x, ops.zeros((), "int64")),
            )

    x = keras.Input((FEATURES,), name="x")
    y, steps = Loop()(x)
    return keras.Model({"x": x}, {"y": y, "steps": steps})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8, each so short that no step is taken, and so long that many are."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, FEATURES) * size} for batch in (1, 3, 8) for size in (0.1, 3.0, 40.0)]
