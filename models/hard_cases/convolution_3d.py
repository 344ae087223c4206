"""A convolution over three axes, as of volumes and of video."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME = "convolution_3d"
WEIGHTS = weights(NAME, {"weight": (4, 2, 3, 3, 3), "bias": (4,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="3-D convolution",
        summary="3×3×3 convolution of 2 channels to 4, padded by one",
        inputs=(TensorSpec("x", "float32", ("batch", 2, 5, 6, 7)),),
        outputs=(TensorSpec("y", "float32", ("batch", 4, 5, 6, 7)),),
        axes={"batch": (1, 16)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    return fill(torch.nn.Conv3d(2, 4, 3, padding=1), WEIGHTS)


def _keras() -> Any:
    """Channels last inside, which is all that TensorFlow computes on CPUs."""
    import keras
    from keras import layers

    x = keras.Input((2, 5, 6, 7), name="x")
    conv = layers.Conv3D(4, 3, padding="same")
    y = layers.Permute((4, 1, 2, 3))(conv(layers.Permute((2, 3, 4, 1))(x)))
    conv.set_weights([np.transpose(WEIGHTS["weight"], (2, 3, 4, 1, 0)), WEIGHTS["bias"]])
    return keras.Model({"x": x}, {"y": y})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, 2, 5, 6, 7)} for batch in (1, 3, 8)]
