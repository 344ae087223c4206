"""Adding to places named by an index, several to one place, and reading them again."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import generator, normal, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, PLACES = "scatter_gather", 6


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="scatter and gather",
        summary="values summed into 6 places by index, and what their places hold then",
        inputs=(
            TensorSpec("values", "float32", ("batch", "items")),
            TensorSpec("places", "int64", ("batch", "items")),
        ),
        outputs=(
            TensorSpec("sums", "float32", ("batch", PLACES)),
            TensorSpec("shared", "float32", ("batch", "items")),
        ),
        axes={"batch": (1, 16), "items": (2, 64)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Scatter(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.places = PLACES

        def forward(self, values: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            sums = values.new_zeros(values.shape[0], self.places).scatter_add(1, places, values)
            return sums, sums.gather(1, places)

    return Scatter().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        values, places = inputs["values"], inputs["places"]
        batch = tf.shape(values, out_type=tf.int64)[0]
        rows = tf.broadcast_to(tf.range(batch)[:, None], tf.shape(places))
        sums = tf.scatter_nd(tf.stack([rows, places], -1), values, tf.stack([batch, PLACES]))
        return {"sums": sums, "shared": tf.gather(sums, places, batch_dims=1)}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """The first and the last item of each row share a place: whoever keeps only one of them is wrong at any size."""
    numbers = generator(NAME)
    found = []
    for batch, items in ((1, 2), (3, 9), (8, 20), (8, 2), (1, 9)):
        places = numbers.integers(0, PLACES, (batch, items))
        places[:, -1] = places[:, 0]
        found.append({"values": normal(numbers, batch, items), "places": places})
    return found
