"""Writing a TensorFlow twin as a SavedModel: shared by the formats that start from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.pair import Matched
from pipelines.formats._eight_bits import INT8

NOT_OFFERED = dict.fromkeys(("fp16", *INT8), "TensorFlow narrows no SavedModel for processors: TFLite is its way there")
SIGNATURE = "serving_default"
BOOKKEEPING = {"Const", "Placeholder", "Identity", "NoOp", "ReadVariableOp"}
"""Nodes that name or fetch a value instead of computing one."""


def function(matched: Matched, compiled: bool = False) -> tuple[Any, Any]:
    """The twin's variables in a module, and its concrete function from tensors by name to tensors by name.

    `compiled` leaves it to XLA, which compiles anew for each shape that comes.
    """
    import tensorflow as tf

    twin = matched.build("tensorflow")
    served = tf.Module()
    # A signature may only use variables its module holds, and tf.Module does not look inside Keras's own.
    served.weights = [_variable(variable) for variable in twin.variables]
    served.twin = twin if isinstance(twin, tf.Module) else None
    # jit_compile=False would forbid what None leaves to the user's own functions.
    traced = tf.function(lambda **tensors: twin(tensors, training=False), jit_compile=compiled or None)
    return served, traced.get_concrete_function(**specs(matched))


def specs(matched: Matched) -> dict[str, Any]:
    """`tf.TensorSpec` by input name; dynamic axes are None, tensors of bytes are strings."""
    import tensorflow as tf

    return {
        spec.name: tf.TensorSpec(
            [None if isinstance(axis, str) else axis for axis in spec.shape],
            "string" if spec.dtype == "object" else spec.dtype,
            name=spec.name,
        )
        for spec in matched.inputs
    }


def save(matched: Matched, path: Path, compiled: bool = False) -> None:
    """Write the twin with one signature whose tensor names are the pair's.

    Not with `keras.Model.export`, which stores every weight twice, under two names of its own.
    """
    import tensorflow as tf

    served, signature = function(matched, compiled)
    tf.saved_model.save(served, str(path), signatures={SIGNATURE: signature})


def nodes(path: Path) -> int:
    """How many nodes of a SavedModel compute something, functions included."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString((path / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    found = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return sum(node.op not in BOOKKEEPING for node in found)


def _variable(variable: Any) -> Any:
    """TensorFlow's own variable, which Keras's holds as its `value` and tf.Module's is."""
    import tensorflow as tf

    return variable if isinstance(variable, tf.Variable) else variable.value
