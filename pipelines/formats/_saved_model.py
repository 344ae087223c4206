"""Writing a Keras twin as a SavedModel: shared by the formats that start from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.pair import Matched

SIGNATURE = "serving_default"


def save(matched: Matched, path: Path) -> None:
    """Write the twin with one signature whose tensor names are the pair's.

    Not with `keras.Model.export`, which stores every weight twice, under two names of its own.
    """
    import tensorflow as tf

    twin = matched.build("tensorflow")
    served = tf.Module()
    # A signature may only use variables its module holds, and tf.Module does not look inside Keras's own.
    served.weights = [_variable(variable) for variable in twin.variables]
    signature = tf.function(lambda **tensors: twin(tensors, training=False)).get_concrete_function(
        **{
            spec.name: tf.TensorSpec([None if isinstance(axis, str) else axis for axis in spec.shape], spec.dtype)
            for spec in matched.inputs
        }
    )
    tf.saved_model.save(served, str(path), signatures={SIGNATURE: signature})


def _variable(variable: Any) -> Any:
    """TensorFlow's own variable, which Keras's holds as its `value` and tf.Module's is."""
    import tensorflow as tf

    return variable if isinstance(variable, tf.Variable) else variable.value
