"""What the two branches share: the layers, TensorFlow's program, and inputs that take either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.hard_cases._seeded import dense, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

FEATURES, ANSWERS = 6, 4
WEIGHTS = weights(
    "branches",
    {
        "warm.weight": (ANSWERS, FEATURES),
        "warm.bias": (ANSWERS,),
        "cool.weight": (ANSWERS, FEATURES),
        "cool.bias": (ANSWERS,),
    },
)


def branching(name: str, feature: str, summary: str, torch_module: Callable[[], Any]) -> HardCase:
    return HardCase(
        name=name,
        feature=feature,
        summary=summary,
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES)),),
        outputs=(TensorSpec("y", "float32", ("batch", ANSWERS)),),
        axes={"batch": (1, 64)},
        torch_module=torch_module,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _keras() -> Any:
    import keras
    from keras import ops

    class Branch(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.warm = dense(WEIGHTS, "warm", "relu")
            self.cool = dense(WEIGHTS, "cool", "tanh")

        def call(self, x: Any) -> Any:
            return ops.cond(ops.mean(x) > 0, lambda: self.warm(x), lambda: self.cool(x))

    x = keras.Input((FEATURES,), name="x")
    return keras.Model({"x": x}, {"y": Branch()(x)})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8, each once warm and once cool."""
    numbers = generator("branches")
    return [{"x": normal(numbers, batch, FEATURES) + mean} for batch in (1, 3, 8) for mean in (2.0, -2.0)]
