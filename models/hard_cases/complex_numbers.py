"""complex64 inside: the rotary position embedding of LLaMA, which turns pairs of features as complex numbers.

Not at the border: the Open Inference Protocol has no complex tensors, so no server could be asked with one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, PAIRS, POSITIONS = "complex_numbers", 4, 64
BASE = 100.0
"""The slowest pair turns by about 1/30 rad a position: small enough to be slow, large enough to show."""


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="complex numbers",
        summary="rotary position embedding: features as complex pairs, turned by an angle that grows with the position",
        inputs=(TensorSpec("x", "float32", ("batch", "sequence", 2 * PAIRS)),),
        outputs=(TensorSpec("y", "float32", ("batch", "sequence", 2 * PAIRS)),),
        axes={"batch": (1, 16), "sequence": (1, POSITIONS)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _turns() -> np.ndarray:
    """complex64 (positions, pairs), each of absolute value 1."""
    frequencies = BASE ** -(np.arange(PAIRS) / PAIRS)
    turns: np.ndarray = np.exp(1j * np.outer(np.arange(POSITIONS), frequencies)).astype(np.complex64)
    return turns


def _torch() -> Any:
    import torch

    class Rotary(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("turns", torch.from_numpy(_turns()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pairs = torch.view_as_complex(x.reshape(x.shape[0], x.shape[1], -1, 2))
            return torch.view_as_real(pairs * self.turns[: x.shape[1]]).flatten(2)

    return Rotary().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:
        x = inputs["x"]
        pairs = tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1], PAIRS, 2))
        turned = tf.complex(pairs[..., 0], pairs[..., 1]) * self.held["turns"][: tf.shape(x)[1]]
        both = tf.stack([tf.math.real(turned), tf.math.imag(turned)], axis=-1)
        return {"y": tf.reshape(both, tf.shape(x))}

    return tf_module({"turns": _turns()}, answer)


def _inputs() -> list[Tensors]:
    """Batches of 1, 2 and 8; sequences of 1, 5 and all positions."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, sequence, 2 * PAIRS)} for batch in (1, 2, 8) for sequence in (1, 5, POSITIONS)]
