"""A convolution whose kernel has holes."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME = "dilated_convolution"
WEIGHTS = weights(NAME, {"weight": (4, 3, 3, 3), "bias": (4,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="dilated convolution",
        summary="3×3 convolution of 3 channels to 4 with a dilation of 2",
        inputs=(TensorSpec("x", "float32", ("batch", 3, 9, 8)),),
        outputs=(TensorSpec("y", "float32", ("batch", 4, 9, 8)),),
        axes={"batch": (1, 16)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    return fill(torch.nn.Conv2d(3, 4, 3, padding=2, dilation=2), WEIGHTS)


def _keras() -> Any:
    """Channels last inside, which is all that TensorFlow computes on CPUs."""
    import keras
    from keras import layers

    x = keras.Input((3, 9, 8), name="x")
    conv = layers.Conv2D(4, 3, padding="same", dilation_rate=2)
    y = layers.Permute((3, 1, 2))(conv(layers.Permute((2, 3, 1))(x)))
    conv.set_weights([np.transpose(WEIGHTS["weight"], (2, 3, 1, 0)), WEIGHTS["bias"]])
    return keras.Model({"x": x}, {"y": y})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, 3, 9, 8)} for batch in (1, 3, 8)]
