"""Layer normalization with an epsilon that is neither framework's default."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, EPSILON = "layer_norm", 6, 1e-2
WEIGHTS = weights(NAME, {"weight": (FEATURES,), "bias": (FEATURES,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="layer norm",
        summary="each token less its mean, divided by its deviation; epsilon 1e-2",
        inputs=(TensorSpec("x", "float32", ("batch", "sequence", FEATURES)),),
        outputs=(TensorSpec("y", "float32", ("batch", "sequence", FEATURES)),),
        axes={"batch": (1, 16), "sequence": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    return fill(torch.nn.LayerNorm(FEATURES, eps=EPSILON), WEIGHTS)


def _keras() -> Any:
    import keras

    x = keras.Input((None, FEATURES), name="x")
    norm = keras.layers.LayerNormalization(epsilon=EPSILON)
    y = norm(x)
    norm.set_weights(list(WEIGHTS.values()))
    return keras.Model({"x": x}, {"y": y})


def _inputs() -> list[Tensors]:
    """Numbers so small that the epsilon counts, and which are not around 0."""
    numbers = generator(NAME)
    sizes = ((1, 1), (3, 5), (8, 12), (8, 1), (1, 5))
    return [{"x": normal(numbers, batch, length, FEATURES) * 0.1 + 0.2} for batch, length in sizes]
