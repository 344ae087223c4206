"""A bilinear resize whose corners are aligned, from any size to one."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, SIDE = "bilinear_resize", 16


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="bilinear resize, aligned corners",
        summary="images of any size to 16×16, bilinear, corners on corners",
        inputs=(TensorSpec("x", "float32", ("batch", 3, "height", "width")),),
        outputs=(TensorSpec("y", "float32", ("batch", 3, SIDE, SIDE)),),
        axes={"batch": (1, 16), "height": (2, 64), "width": (2, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Resize(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.side = SIDE

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.interpolate(x, (self.side, self.side), mode="bilinear", align_corners=True)

    return Resize().eval()


def _tensorflow() -> Any:
    """By TensorFlow 1's function: neither Keras nor TensorFlow 2's own can align corners."""
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        image = tf.transpose(inputs["x"], (0, 2, 3, 1))
        resized = tf.compat.v1.image.resize_bilinear(image, (SIDE, SIDE), align_corners=True)
        return {"y": tf.transpose(resized, (0, 3, 1, 2))}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """Smaller and larger than what comes out, and neither square."""
    numbers = generator(NAME)
    sizes = ((1, 2, 2), (3, 9, 20), (5, 24, 7), (2, 33, 40), (8, 2, 2), (1, 21, 2), (1, 2, 21))
    return [{"x": normal(numbers, batch, 3, height, width)} for batch, height, width in sizes]
