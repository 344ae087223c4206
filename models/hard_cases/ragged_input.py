"""Rows of different lengths without padding: values end to end and the length of each row, ragged inside the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import fill, generator, normal, tf_module, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, ANSWERS = "ragged_input", 4, 3
WEIGHTS = weights(NAME, {"dense.weight": (ANSWERS, FEATURES), "dense.bias": (ANSWERS,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="ragged rows",
        summary="values and row lengths as a ragged tensor, a layer on each value, and the sum of each row",
        inputs=(
            TensorSpec("values", "float32", ("values", FEATURES)),
            TensorSpec("row_lengths", "int64", ("rows",)),
        ),
        outputs=(TensorSpec("sums", "float32", ("rows", ANSWERS)),),
        axes={"values": (1, 256), "rows": (1, 32)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Ragged(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = torch.nn.Linear(FEATURES, ANSWERS)

        def forward(self, values: torch.Tensor, row_lengths: torch.Tensor) -> torch.Tensor:
            row_splits = torch.nn.functional.pad(row_lengths.cumsum(0), (1, 0))
            rows = torch.nested.nested_tensor_from_jagged(values, row_splits)
            return torch.relu(self.dense(rows)).sum(dim=1)

    return fill(Ragged(), WEIGHTS)


def _tensorflow() -> Any:
    """A tf.Module: values and rows are two batches, and Keras has one."""
    import tensorflow as tf

    def dense(self: Any, values: Any) -> Any:
        return tf.matmul(values, self.held["dense.weight"], transpose_b=True) + self.held["dense.bias"]

    def answer(self: Any, inputs: Any) -> Any:
        rows = tf.RaggedTensor.from_row_lengths(inputs["values"], inputs["row_lengths"])
        found = tf.ragged.map_flat_values(lambda values: tf.nn.relu(dense(self, values)), rows)
        return {"sums": tf.reduce_sum(found, axis=1)}

    return tf_module(WEIGHTS, answer)


def _inputs() -> list[Tensors]:
    """1 to 7 rows of 0 to 9 values; the same number of values in other rows must answer otherwise."""
    numbers = generator(NAME)
    lengths = ([1], [5], [2, 3], [3, 2], [4, 0, 1, 7], [1, 9, 2, 2, 0, 3, 6], [0, 1, 0])
    return [
        {"values": normal(numbers, sum(each), FEATURES), "row_lengths": np.array(each, np.int64)} for each in lengths
    ]
