"""Multi-head self-attention that must not look at padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, WIDTH, HEADS = "masked_attention", 8, 2
WEIGHTS = weights(
    NAME,
    {
        "attention.in_proj_weight": (3 * WIDTH, WIDTH),
        "attention.in_proj_bias": (3 * WIDTH,),
        "attention.out_proj.weight": (WIDTH, WIDTH),
        "attention.out_proj.bias": (WIDTH,),
    },
)


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="masked attention",
        summary="multi-head self-attention over a padded batch, its mask as an input",
        inputs=(
            TensorSpec("x", "float32", ("batch", "sequence", WIDTH)),
            TensorSpec("attended", "bool", ("batch", "sequence")),
        ),
        outputs=(TensorSpec("y", "float32", ("batch", "sequence", WIDTH)),),
        axes={"batch": (1, 16), "sequence": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Attention(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.attention = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

        def forward(self, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
            y, _ = self.attention(x, x, x, key_padding_mask=~attended, need_weights=False)
            return y

    return fill(Attention(), WEIGHTS)


def _keras() -> Any:
    import keras
    from keras import ops

    class Mask(keras.layers.Layer):  # type: ignore[misc]
        def call(self, attended: Any) -> Any:
            return ops.expand_dims(attended, 1)

    attention = keras.layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
    attention.build((None, None, WIDTH), (None, None, WIDTH))
    attention.set_weights(_split())
    x = keras.Input((None, WIDTH), name="x")
    attended = keras.Input((None,), name="attended", dtype="bool")
    return keras.Model({"x": x, "attended": attended}, {"y": attention(x, x, attention_mask=Mask()(attended))})


def _split() -> list[np.ndarray]:
    """torch stacks query, key and value; Keras has each by itself, and heads as an axis."""
    found = []
    kernels = np.split(WEIGHTS["attention.in_proj_weight"], 3)
    for kernel, bias in zip(kernels, np.split(WEIGHTS["attention.in_proj_bias"], 3), strict=True):
        found += [kernel.T.reshape(WIDTH, HEADS, -1), bias.reshape(HEADS, -1)]
    return [
        *found,
        WEIGHTS["attention.out_proj.weight"].T.reshape(HEADS, -1, WIDTH),
        WEIGHTS["attention.out_proj.bias"],
    ]


def _inputs() -> list[Tensors]:
    """Rows attend to different numbers of tokens, at least to one; two rows have holes in the middle."""
    numbers = generator(NAME)
    found = []
    for lengths in ([1], [6], [3, 1], [7, 2, 7, 5], [12, 1, 4, 9, 12], [1] * 8):
        attended = np.arange(max(lengths)) < np.array(lengths)[:, None]
        attended[0, 2:4] = False
        found.append({"x": normal(numbers, *attended.shape, WIDTH) * 2, "attended": attended})
    return found
