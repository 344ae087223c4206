"""Python's `if` on the value of a tensor: a batch that is warm on the whole takes another layer than a cool one."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import dense, fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES, ANSWERS = "data_dependent_branch", 6, 4
WEIGHTS = weights(
    NAME,
    {
        "warm.weight": (ANSWERS, FEATURES),
        "warm.bias": (ANSWERS,),
        "cool.weight": (ANSWERS, FEATURES),
        "cool.bias": (ANSWERS,),
    },
)


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="data-dependent branch",
        summary="one of two layers, by the mean of the input: an `if` from torch, an operator from TensorFlow",
        inputs=(TensorSpec("x", "float32", ("batch", FEATURES)),),
        outputs=(TensorSpec("y", "float32", ("batch", ANSWERS)),),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Branch(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.warm = torch.nn.Linear(FEATURES, ANSWERS)
            self.cool = torch.nn.Linear(FEATURES, ANSWERS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.mean() > 0:
                return torch.relu(self.warm(x))
            return torch.tanh(self.cool(x))

    return fill(Branch(), WEIGHTS)


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
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, FEATURES) + mean} for batch in (1, 3, 8) for mean in (2.0, -2.0)]
