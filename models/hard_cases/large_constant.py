"""A table of 72 MB that is no weight: a constant of the graph, which some formats write as text or limit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from models.hard_cases._seeded import generator, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, ROWS, WIDTH = "large_constant", 600_000, 30


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="large constant (72 MB)",
        summary="rows of a constant table of 600,000 × 30 numbers by their index",
        inputs=(TensorSpec("rows", "int64", ("batch",)),),
        outputs=(TensorSpec("y", "float32", ("batch", WIDTH)),),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


@cache
def _table() -> np.ndarray:
    """float32 (ROWS, WIDTH): 72 MB, and so made when it is asked for only."""
    return generator(NAME, "table").random((ROWS, WIDTH), dtype=np.float32)


def _torch() -> Any:
    import torch

    class Table(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", torch.from_numpy(_table()))

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return self.table[rows]

    return Table().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:
        return {"y": tf.gather(self.table, inputs["rows"])}

    return tf_module({}, answer, table=tf.constant(_table()))


def _inputs() -> list[Tensors]:
    """Rows from all of the table, its last among them."""
    numbers = generator(NAME)
    found = [{"rows": numbers.integers(0, ROWS, batch)} for batch in (1, 3, 8)]
    found[-1]["rows"][-1] = ROWS - 1
    return found
