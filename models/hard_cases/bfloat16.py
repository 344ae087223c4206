"""Computing in bfloat16 between float32 borders, as models trained in it do."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, ANSWERS = "bfloat16", 6, 4


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="bfloat16",
        summary="a scaling and a matrix product in bfloat16, float32 in and out",
        inputs=(
            TensorSpec("x", "float32", ("batch", FEATURES)),
            TensorSpec("counts", "float32", ("batch", FEATURES)),
        ),
        outputs=(
            TensorSpec("scaled", "float32", ("batch", FEATURES)),
            TensorSpec("mixed", "float32", ("batch", ANSWERS)),
        ),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _weights() -> dict[str, np.ndarray]:
    """float32. Of the product's weights and inputs every sum is a number that bfloat16 has, so the order of additions
    decides nothing; the scaling rounds once, to the nearest in both frameworks.
    """
    numbers = generator(NAME, "weights")
    return {
        "scale": (1 + numbers.random(FEATURES)).astype(np.float32),
        "mixing": numbers.integers(-3, 4, (FEATURES, ANSWERS)).astype(np.float32),
    }


def _torch() -> Any:
    import torch

    class Halves(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, array in _weights().items():
                self.register_buffer(name, torch.from_numpy(array).to(torch.bfloat16))

        def forward(self, x: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return (x.to(torch.bfloat16) * self.scale).float(), (counts.to(torch.bfloat16) @ self.mixing).float()

    return Halves().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:
        def half(tensor: Any) -> Any:
            return tf.cast(tensor, tf.bfloat16)

        scaled = half(inputs["x"]) * half(self.held["scale"])
        mixed = half(inputs["counts"]) @ half(self.held["mixing"])
        return {"scaled": tf.cast(scaled, tf.float32), "mixed": tf.cast(mixed, tf.float32)}

    return tf_module(_weights(), answer)


def _inputs() -> list[Tensors]:
    """Numbers that bfloat16 has not, beside whole ones that it has."""
    numbers = generator(NAME)
    return [
        {
            "x": normal(numbers, batch, FEATURES) * 3,
            "counts": numbers.integers(-5, 6, (batch, FEATURES)).astype(np.float32),
        }
        for batch in (1, 3, 8)
    ]
