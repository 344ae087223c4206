"""Bytes of an image, normalized inside of the graph as a camera delivers them."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import dense, fill, generator, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, ANSWERS = "uint8_input", 4
WEIGHTS = weights(NAME, {"dense.weight": (ANSWERS, 3), "dense.bias": (ANSWERS,)})
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="uint8 input",
        summary="bytes of an image of any size to numbers, normalized by channel, their means, and a layer",
        inputs=(TensorSpec("image", "uint8", ("batch", "height", "width", 3)),),
        outputs=(TensorSpec("y", "float32", ("batch", ANSWERS)),),
        axes={"batch": (1, 16), "height": (1, 64), "width": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Camera(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor(MEAN), persistent=False)
            self.register_buffer("deviation", torch.tensor(DEVIATION), persistent=False)
            self.dense = torch.nn.Linear(3, ANSWERS)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            normalized = (image.float() / 255 - self.mean) / self.deviation
            return self.dense(normalized.mean(dim=(1, 2)))

    return fill(Camera(), WEIGHTS)


def _keras() -> Any:
    import keras
    from keras import layers

    image = keras.Input((None, None, 3), name="image", dtype="uint8")
    variances = [deviation**2 for deviation in DEVIATION]
    scaled = layers.Rescaling(1 / 255)(image)
    normalized = layers.Normalization(axis=-1, mean=MEAN, variance=variances)(scaled)
    return keras.Model({"image": image}, {"y": dense(WEIGHTS, "dense")(layers.GlobalAveragePooling2D()(normalized))})


def _inputs() -> list[Tensors]:
    """All values of a byte; those above 127 would be negative if they were signed."""
    numbers = generator(NAME)
    sizes = ((1, 1, 1), (3, 8, 5), (8, 4, 12), (8, 1, 1), (1, 8, 1), (1, 1, 12))
    return [{"image": numbers.integers(0, 256, (*size, 3), dtype="uint8")} for size in sizes]
