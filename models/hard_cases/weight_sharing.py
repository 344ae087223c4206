"""One matrix used twice: as a table of tokens, and to judge which token comes next.

It is 64 kB, so that the size of an artifact tells whether it is stored once.
"""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import dense, fill, generator, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, TOKENS, WIDTH = "weight_sharing", 2000, 8
WEIGHTS = weights(NAME, {"tokens.weight": (TOKENS, WIDTH), "dense.weight": (WIDTH, WIDTH), "dense.bias": (WIDTH,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="weight sharing",
        summary="tokens to vectors, a layer, and scores of all tokens by the same table",
        inputs=(TensorSpec("ids", "int64", ("batch", "sequence")),),
        outputs=(TensorSpec("scores", "float32", ("batch", "sequence", TOKENS)),),
        axes={"batch": (1, 16), "sequence": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Tied(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens = torch.nn.Embedding(TOKENS, WIDTH)
            self.dense = torch.nn.Linear(WIDTH, WIDTH)
            self.scores = torch.nn.Linear(WIDTH, TOKENS, bias=False)
            self.scores.weight = self.tokens.weight

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.scores(torch.relu(self.dense(self.tokens(ids))))

    return fill(Tied(), WEIGHTS | {"scores.weight": WEIGHTS["tokens.weight"]})


def _keras() -> Any:
    import keras
    from keras import layers, ops

    class Tied(layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokens = layers.Embedding(TOKENS, WIDTH)
            self.tokens.build((None,))
            self.tokens.set_weights([WEIGHTS["tokens.weight"]])
            self.dense = dense(WEIGHTS, "dense", "relu")
            self.built = True

        def call(self, ids: Any) -> Any:
            return ops.matmul(self.dense(self.tokens(ids)), ops.transpose(self.tokens.embeddings))

    ids = keras.Input((None,), name="ids", dtype="int64")
    return keras.Model({"ids": ids}, {"scores": Tied()(ids)})


def _inputs() -> list[Tensors]:
    """Sequences of 1, 5 and 12 tokens."""
    numbers = generator(NAME)
    return [{"ids": numbers.integers(0, TOKENS, size)} for size in ((1, 1), (3, 5), (8, 12), (8, 1), (1, 5))]
