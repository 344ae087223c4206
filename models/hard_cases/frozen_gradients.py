"""A loop over frozen layers under a head that learns: gradients are switched off in the forward pass itself."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import dense, fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, WIDTH, ANSWERS = "frozen_gradients", 5, 7, 3
WEIGHTS = weights(
    NAME,
    {
        "backbone.0.weight": (WIDTH, FEATURES),
        "backbone.0.bias": (WIDTH,),
        "backbone.1.weight": (WIDTH, WIDTH),
        "backbone.1.bias": (WIDTH,),
        "head.weight": (ANSWERS, WIDTH),
        "head.bias": (ANSWERS,),
    },
)


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="gradients switched off inside",
        summary="a loop over frozen layers and a branch by a flag, under no_grad and detached, and a trained head",
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES)),),
        outputs=(
            TensorSpec("y", "float32", ("batch", ANSWERS)),
            TensorSpec("features", "float32", ("batch", WIDTH)),
        ),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Frozen(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            sizes = ((FEATURES, WIDTH), (WIDTH, WIDTH))
            self.backbone = torch.nn.ModuleList(torch.nn.Linear(*size) for size in sizes).requires_grad_(False)
            self.squashed = True
            self.head = torch.nn.Linear(WIDTH, ANSWERS)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = x
            with torch.no_grad():
                for layer in self.backbone:
                    features = layer(features)
                    if self.squashed:
                        features = torch.tanh(features)
            return self.head(features.detach()), features

    return fill(Frozen(), WEIGHTS)


def _keras() -> Any:
    import keras
    from keras import ops

    class Detach(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return ops.stop_gradient(x)

    features = x = keras.Input((FEATURES,), name="x")
    for prefix in ("backbone.0", "backbone.1"):
        layer = dense(WEIGHTS, prefix, "tanh")
        layer.trainable = False
        features = layer(features)
    return keras.Model({"x": x}, {"y": dense(WEIGHTS, "head")(Detach()(features)), "features": features})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, FEATURES)} for batch in (1, 3, 8)]
