"""Einstein's summation over letters whose sizes are dynamic.

Two operands each: where opt_einsum happens to be installed, torch orders three by their sizes, and so fixes those.
"""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import generator, normal, tf_module, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, HEADS, WIDTH = "einsum", 3, 4
WEIGHTS = weights(NAME, {"scale": (HEADS, WIDTH)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="einsum",
        summary="scores of every query with every key for each head: bqd,hd->bhqd, then bhqd,bkd->bhqk",
        inputs=(
            TensorSpec("query", "float32", ("batch", "queries", WIDTH)),
            TensorSpec("key", "float32", ("batch", "keys", WIDTH)),
        ),
        outputs=(TensorSpec("scores", "float32", ("batch", HEADS, "queries", "keys")),),
        axes={"batch": (1, 16), "queries": (1, 32), "keys": (1, 32)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Scores(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.from_numpy(WEIGHTS["scale"]))

        def forward(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
            scaled = torch.einsum("bqd,hd->bhqd", query, self.scale)
            return torch.einsum("bhqd,bkd->bhqk", scaled, key)

    return Scores().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:
        scaled = tf.einsum("bqd,hd->bhqd", inputs["query"], self.held["scale"])
        return {"scores": tf.einsum("bhqd,bkd->bhqk", scaled, inputs["key"])}

    return tf_module(WEIGHTS, answer)


def _inputs() -> list[Tensors]:
    """More queries than keys, and the other way round."""
    numbers = generator(NAME)
    return [
        {"query": normal(numbers, batch, queries, WIDTH), "key": normal(numbers, batch, keys, WIDTH)}
        for batch, queries, keys in ((1, 1, 1), (3, 5, 2), (8, 2, 7), (8, 1, 1), (1, 5, 1), (1, 1, 7))
    ]
