"""Normalization by the root of the mean square, as in LLaMA."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, EPSILON = "rms_norm", 6, 1e-3
WEIGHTS = weights(NAME, {"weight": (FEATURES,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="RMS norm",
        summary="each token divided by its root mean square, times a weight; epsilon 1e-3",
        inputs=(TensorSpec("x", "float32", ("batch", "sequence", FEATURES)),),
        outputs=(TensorSpec("y", "float32", ("batch", "sequence", FEATURES)),),
        axes={"batch": (1, 16), "sequence": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    return fill(torch.nn.RMSNorm(FEATURES, eps=EPSILON), WEIGHTS)


def _keras() -> Any:
    import keras

    x = keras.Input((None, FEATURES), name="x")
    norm = keras.layers.RMSNormalization(epsilon=EPSILON)
    y = norm(x)
    norm.set_weights(list(WEIGHTS.values()))
    return keras.Model({"x": x}, {"y": y})


def _inputs() -> list[Tensors]:
    """Numbers so small that the epsilon counts, and which are not around 0."""
    numbers = generator(NAME)
    sizes = ((1, 1), (3, 5), (8, 12), (8, 1), (1, 5))
    return [{"x": normal(numbers, batch, length, FEATURES) * 0.1 + 0.2} for batch, length in sizes]
