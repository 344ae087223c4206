"""Truth values in and out, and what is decided by them."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, FEATURES = "bool_input", 5


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="bool input",
        summary="numbers chosen by flags, which flags differ from their neighbours, and whether any is set",
        inputs=(
            TensorSpec("x", "float32", ("batch", FEATURES)),
            TensorSpec("flags", "bool", ("batch", FEATURES)),
        ),
        outputs=(
            TensorSpec("y", "float32", ("batch", FEATURES)),
            TensorSpec("edges", "bool", ("batch", FEATURES - 1)),
            TensorSpec("some", "bool", ("batch",)),
        ),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Flags(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: torch.Tensor, flags: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            return torch.where(flags, x, 2 - x), flags[:, 1:] ^ flags[:, :-1], flags.any(dim=1)

    return Flags().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        x, flags = inputs["x"], inputs["flags"]
        edges = tf.math.logical_xor(flags[:, 1:], flags[:, :-1])
        return {"y": tf.where(flags, x, 2 - x), "edges": edges, "some": tf.reduce_any(flags, axis=1)}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """The last row has no flag set."""
    numbers = generator(NAME)
    found = []
    for batch in (1, 3, 8):
        flags = numbers.random((batch, FEATURES)) < 0.5
        flags[0], flags[-1] = True, False
        found.append({"x": normal(numbers, batch, FEATURES), "flags": flags})
    return found
