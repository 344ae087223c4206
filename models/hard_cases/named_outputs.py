"""Several tensors of one shape, whose alphabetical order is not their positional one: who sorts them, swaps them."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import dense, fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES = "named_outputs", 5
WEIGHTS = weights(NAME, {"width.weight": (FEATURES, FEATURES), "width.bias": (FEATURES,)})


def case() -> HardCase:
    shape = ("batch", FEATURES)
    return HardCase(
        name=NAME,
        feature="names out of alphabetical order",
        summary="two inputs and three outputs of one shape and dtype, named against the alphabet",
        inputs=(TensorSpec("value", "float32", shape), TensorSpec("around", "float32", shape)),
        outputs=tuple(TensorSpec(name, "float32", shape) for name in ("upper", "middle", "lower")),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Bounds(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.width = torch.nn.Linear(FEATURES, FEATURES)

        def forward(self, value: torch.Tensor, around: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            middle = value - 0.5 * around
            width = self.width(value).abs()
            return middle + width, middle, middle - width

    return fill(Bounds(), WEIGHTS)


def _keras() -> Any:
    import keras
    from keras import ops

    value = keras.Input((FEATURES,), name="value")
    around = keras.Input((FEATURES,), name="around")
    middle = value - 0.5 * around
    width = ops.abs(dense(WEIGHTS, "width")(value))
    outputs = {"upper": middle + width, "middle": middle, "lower": middle - width}
    return keras.Model({"value": value, "around": around}, outputs)


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8."""
    numbers = generator(NAME)
    return [
        {"value": normal(numbers, batch, FEATURES), "around": normal(numbers, batch, FEATURES)} for batch in (1, 3, 8)
    ]
