"""A convolution that makes its input larger: strided, padded, and padded once more at the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME = "transposed_convolution"
WEIGHTS = weights(NAME, {"weight": (4, 3, 3, 3), "bias": (3,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="transposed convolution",
        summary="3×3 transposed convolution of 4 channels to 3, stride 2, padding 1, output padding 1",
        inputs=(TensorSpec("x", "float32", ("batch", 4, 5, 6)),),
        outputs=(TensorSpec("y", "float32", ("batch", 3, 10, 12)),),
        axes={"batch": (1, 16)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Larger(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)

    return fill(Larger(), {f"conv.{name}": array for name, array in WEIGHTS.items()})


def _keras() -> Any:
    """Not padding="same", which pads the other side: all is computed, and torch's padding cut off."""
    import keras
    from keras import layers

    x = keras.Input((4, 5, 6), name="x")
    conv = layers.Conv2DTranspose(3, 3, strides=2)
    y = layers.Permute((3, 1, 2))(layers.Cropping2D(((1, 0), (1, 0)))(conv(layers.Permute((2, 3, 1))(x))))
    conv.set_weights([np.transpose(WEIGHTS["weight"], (2, 3, 1, 0)), WEIGHTS["bias"]])
    return keras.Model({"x": x}, {"y": y})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, 4, 5, 6)} for batch in (1, 3, 8)]
