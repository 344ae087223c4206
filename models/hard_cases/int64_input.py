"""Whole numbers beyond 32 bits: identifiers that are hashed to a row of a table."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import fill, generator, tf_module, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, BUCKETS, WIDTH, STEP = "int64_input", 97, 4, 1_000_003
WEIGHTS = weights(NAME, {"table.weight": (BUCKETS, WIDTH)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="int64 input",
        summary="the identifiers that follow those beyond 2³², and their rows of a table by their remainder",
        inputs=(TensorSpec("ids", "int64", ("batch",)),),
        outputs=(
            TensorSpec("rows", "float32", ("batch", WIDTH)),
            TensorSpec("following", "int64", ("batch",)),
        ),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Hashed(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.buckets, self.step = BUCKETS, STEP
            self.table = torch.nn.Embedding(BUCKETS, WIDTH)

        def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            following = ids + self.step
            return self.table(following % self.buckets), following

    return fill(Hashed(), WEIGHTS)


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:
        following = inputs["ids"] + STEP
        return {"rows": tf.gather(self.held["table.weight"], following % BUCKETS), "following": following}

    return tf_module(WEIGHTS, answer)


def _inputs() -> list[Tensors]:
    """From 2³³ up: cut to 32 bits they are far off; made a float they are nearly right, and have other rows."""
    numbers = generator(NAME)
    return [{"ids": numbers.integers(2**33, 2**52, batch)} for batch in (1, 3, 8)]
