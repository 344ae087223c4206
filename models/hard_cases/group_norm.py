"""Normalization of groups of channels of each image, whatever the batch."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, EPSILON = "group_norm", 6, 1e-2
WEIGHTS = weights(NAME, {"weight": (FEATURES,), "bias": (FEATURES,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="group norm",
        summary="2 groups of 3 channels less their mean, divided by their deviation; epsilon 1e-2",
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES, 5, 7)),),
        outputs=(TensorSpec("y", "float32", ("batch", FEATURES, 5, 7)),),
        axes={"batch": (1, 16)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    return fill(torch.nn.GroupNorm(2, FEATURES, eps=EPSILON), WEIGHTS)


def _keras() -> Any:
    import keras

    x = keras.Input((FEATURES, 5, 7), name="x")
    norm = keras.layers.GroupNormalization(2, axis=1, epsilon=EPSILON)
    y = norm(x)
    norm.set_weights(list(WEIGHTS.values()))
    return keras.Model({"x": x}, {"y": y})


def _inputs() -> list[Tensors]:
    """Numbers so small that the epsilon counts, and which are not around 0."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, FEATURES, 5, 7) * 0.1 + 0.2} for batch in (1, 3, 8)]
