"""State that is written in place: a running mean in a buffer, moved towards what comes.

A stateless server keeps nothing between requests, so the state comes with the request and goes back with the answer;
inside it is the module's own buffer that is written to, as in normalization that adapts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, MOMENTUM = "in_place_state", 6, 0.25


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="state written in place",
        summary="a running mean: state in, the module's buffer overwritten and moved in place, state out",
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES)), TensorSpec("state", "float32", (FEATURES,))),
        outputs=(TensorSpec("y", "float32", ("batch", FEATURES)), TensorSpec("new_state", "float32", (FEATURES,))),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Running(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.momentum = MOMENTUM
            self.register_buffer("mean", torch.zeros(FEATURES))

        def forward(self, x: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            self.mean.copy_(state)
            before = x - self.mean
            self.mean.lerp_(x.mean(dim=0), self.momentum)
            self.mean[0] += 1.0  # the first feature counts the calls
            return before * self.mean, self.mean.clone()

    return Running().eval()


def _tensorflow() -> Any:
    """A tf.Module: the state has no batch, as every input of Keras has."""
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:
        x, mean = inputs["x"], self.held["mean"]
        mean.assign(inputs["state"])
        before = x - mean
        mean.assign_add((tf.reduce_mean(x, axis=0) - mean) * MOMENTUM)
        mean.assign_add(tf.one_hot(0, FEATURES))
        return {"y": before * mean, "new_state": mean.read_value()}

    return tf_module({"mean": np.zeros(FEATURES, np.float32)}, answer)


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8, each with two states: what is left over from the call before would show."""
    numbers = generator(NAME)
    return [
        {"x": normal(numbers, batch, FEATURES) + 2, "state": normal(numbers, FEATURES) * 3}
        for batch in (1, 3, 8)
        for _ in range(2)
    ]
