"""Sampling an image at given places, as spatial transformers do."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, CHANNELS, HEIGHT, WIDTH = "grid_sample", 2, 6, 7


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="grid sample",
        summary="bilinear samples of an image at places of a grid; zeros outside of it",
        inputs=(
            TensorSpec("x", "float32", ("batch", CHANNELS, HEIGHT, WIDTH)),
            TensorSpec("grid", "float32", ("batch", "rows", 4, 2)),
        ),
        outputs=(TensorSpec("y", "float32", ("batch", CHANNELS, "rows", 4)),),
        axes={"batch": (1, 16), "rows": (1, 32)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Sample(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)

    return Sample().eval()


def _tensorflow() -> Any:
    """By gathering the four neighbours: TensorFlow has no such operator, and its users write this."""
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        image = tf.transpose(inputs["x"], (0, 2, 3, 1))
        x, y = tf.unstack(inputs["grid"], axis=-1)
        across, down = (x + 1) * WIDTH / 2 - 0.5, (y + 1) * HEIGHT / 2 - 0.5
        left, top = tf.floor(across), tf.floor(down)
        samples = tf.zeros(())
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            share = (1 - tf.abs(across - column)) * (1 - tf.abs(down - row))
            inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
            place = tf.stack([tf.clip_by_value(row, 0, HEIGHT - 1), tf.clip_by_value(column, 0, WIDTH - 1)], -1)
            found = tf.gather_nd(image, tf.cast(place, tf.int32), batch_dims=1)
            samples += tf.expand_dims(tf.where(inside, share, 0.0), -1) * found
        return {"y": tf.transpose(samples, (0, 3, 1, 2))}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """Places within the image, and some outside of it."""
    numbers = generator(NAME)
    return [
        {
            "x": normal(numbers, batch, CHANNELS, HEIGHT, WIDTH),
            "grid": numbers.uniform(-1.3, 1.3, (batch, rows, 4, 2)).astype("float32"),
        }
        for batch, rows in ((1, 1), (3, 5), (8, 2), (8, 1), (1, 5))
    ]
