"""Sorting rows of any length, with the order that sorts them."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME = "sort"


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="sort",
        summary="the values of each row from the largest down, and where they stood",
        inputs=(TensorSpec("x", "float32", ("batch", "sequence")),),
        outputs=(
            TensorSpec("values", "float32", ("batch", "sequence")),
            TensorSpec("order", "int64", ("batch", "sequence")),
        ),
        axes={"batch": (1, 16), "sequence": (1, 128)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Sort(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            values, order = torch.sort(x, dim=1, descending=True)
            return values, order

    return Sort().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        order = tf.argsort(inputs["x"], axis=1, direction="DESCENDING")
        return {"values": tf.gather(inputs["x"], order, batch_dims=1), "order": tf.cast(order, tf.int64)}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """No two values of a row are the same, so that there is one order only."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, length)} for batch, length in ((1, 1), (3, 6), (8, 40), (8, 1), (1, 6))]
