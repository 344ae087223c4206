"""A GRU over sequences of different lengths in one batch: each row's answer is that of its own last step."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, UNITS = "variable_length_recurrence", 4, 6
WEIGHTS = weights(
    NAME,
    {
        "gru.weight_ih_l0": (3 * UNITS, FEATURES),
        "gru.weight_hh_l0": (3 * UNITS, UNITS),
        "gru.bias_ih_l0": (3 * UNITS,),
        "gru.bias_hh_l0": (3 * UNITS,),
    },
)


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="recurrence over variable lengths",
        summary="a GRU over a padded batch, packed by its lengths; the last state of each row",
        inputs=(TensorSpec("x", "float32", ("batch", "time", FEATURES)), TensorSpec("lengths", "int64", ("batch",))),
        outputs=(TensorSpec("last", "float32", ("batch", UNITS)),),
        axes={"batch": (1, 16), "time": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Recurrent(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gru = torch.nn.GRU(FEATURES, UNITS, batch_first=True)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            _, last = self.gru(packed)
            return last[0]

    return fill(Recurrent(), WEIGHTS)


def _keras() -> Any:
    import keras
    from keras import ops

    class Mask(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any, lengths: Any) -> Any:
            return ops.expand_dims(ops.arange(ops.shape(x)[1], dtype="int64"), 0) < ops.expand_dims(lengths, 1)

    gru = keras.layers.GRU(UNITS, reset_after=True)
    gru.build((None, None, FEATURES))
    gru.set_weights(
        [
            _reordered(WEIGHTS["gru.weight_ih_l0"]).T,
            _reordered(WEIGHTS["gru.weight_hh_l0"]).T,
            np.stack([_reordered(WEIGHTS["gru.bias_ih_l0"]), _reordered(WEIGHTS["gru.bias_hh_l0"])]),
        ]
    )
    x = keras.Input((None, FEATURES), name="x")
    lengths = keras.Input((), name="lengths", dtype="int64")
    return keras.Model({"x": x, "lengths": lengths}, {"last": gru(x, mask=Mask()(x, lengths))})


def _reordered(rows: np.ndarray) -> np.ndarray:
    """torch's gates are reset, update, new; Keras's update, reset, new."""
    reset, update, new = np.split(rows, 3)
    return np.concatenate([update, reset, new])


def _inputs() -> list[Tensors]:
    """Padding is not zero but noise: who reads it answers wrongly. The longest need not fill the batch."""
    numbers = generator(NAME)
    lengths = ([1], [5], [4, 1], [7, 2, 7, 3, 5], [3, 12, 1], [2, 9, 20, 6, 1, 20, 13, 4], [1] * 8)
    return [
        {"x": normal(numbers, len(each), max(each) + spare, FEATURES), "lengths": np.array(each, np.int64)}
        for spare, each in zip((0, 0, 0, 0, 3, 0, 0), lengths, strict=True)
    ]
