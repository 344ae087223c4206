"""Top-k whose k comes with the request: the size of an axis is the value of an input."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, CLASSES = "top_k_with_k_as_input", 20


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="top-k with k as an input",
        summary=f"the k best of {CLASSES} classes with their indices, k a scalar of the request",
        inputs=(TensorSpec("scores", "float32", ("batch", CLASSES)), TensorSpec("k", "int64", ())),
        outputs=(TensorSpec("best", "float32", ("batch", "k")), TensorSpec("classes", "int64", ("batch", "k"))),
        axes={"batch": (1, 64), "k": (1, CLASSES)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class TopK(torch.nn.Module):  # type: ignore[misc]
        def forward(self, scores: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            best, classes = torch.topk(scores, int(k.item()))
            return best, classes

    return TopK().eval()


def _tensorflow() -> Any:
    """A tf.Module: an input of Keras has a batch, and k has none."""
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        found = tf.math.top_k(inputs["scores"], tf.cast(inputs["k"], tf.int32))
        return {"best": found.values, "classes": tf.cast(found.indices, tf.int64)}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8; the best one, a few, and all of them in order."""
    numbers = generator(NAME)
    return [
        {"scores": normal(numbers, batch, CLASSES), "k": np.array(k, np.int64)}
        for batch in (1, 3, 8)
        for k in (1, 4, CLASSES)
    ]
