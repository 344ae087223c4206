"""Sums of all that came before, from either end."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME = "cumulative_sum"


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="cumulative sum",
        summary="the sums of each row up to every place, and from it on",
        inputs=(TensorSpec("x", "float32", ("batch", "sequence")),),
        outputs=(
            TensorSpec("before", "float32", ("batch", "sequence")),
            TensorSpec("behind", "float32", ("batch", "sequence")),
        ),
        axes={"batch": (1, 16), "sequence": (1, 128)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Sums(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x.cumsum(1), x.flip(1).cumsum(1).flip(1)

    return Sums().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        return {"before": tf.cumsum(inputs["x"], 1), "behind": tf.cumsum(inputs["x"], 1, reverse=True)}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """Rows of 1, 6 and 40."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, length)} for batch, length in ((1, 1), (3, 6), (8, 40), (8, 1), (1, 6))]
