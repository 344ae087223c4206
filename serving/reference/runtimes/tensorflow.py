"""TensorFlow: SavedModel folders by their signature. https://www.tensorflow.org/guide/saved_model"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from serving.reference.artifact import ArtifactError, Manifest
from serving.reference.runtimes import Arrays, RuntimeUnavailable, check_names

SIGNATURE = "serving_default"


class TensorFlow:
    """A SavedModel's signature; the model is kept because the signature holds its variables only weakly."""

    def __init__(self, model: Any, signature: Any, manifest: Manifest) -> None:
        import tensorflow as tf

        self._constant = tf.constant
        self._model = model
        self._signature = signature
        self._outputs = [tensor.name for tensor in manifest.outputs]

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        result = self._signature(**{name: self._constant(array) for name, array in inputs.items()})
        return {name: result[name].numpy() for name in self._outputs}


def load(path: Path, manifest: Manifest, threads: int) -> TensorFlow:
    """Load a SavedModel; raises `ArtifactError` where it has no such signature or other tensor names.

    Raises `RuntimeUnavailable` where TensorFlow already computed in this process on another number of threads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # otherwise it looks for a GPU, and complains in the log
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as exc:
        raise RuntimeUnavailable(f"TensorFlow's threads are fixed after its first use in a process: {exc}") from exc
    model = tf.saved_model.load(str(path))
    if SIGNATURE not in model.signatures:
        raise ArtifactError(f"{path}: no signature {SIGNATURE!r}; it has {sorted(model.signatures)}")
    signature = model.signatures[SIGNATURE]
    check_names("input", manifest.inputs, signature.structured_input_signature[1])
    check_names("output", manifest.outputs, signature.structured_outputs)
    return TensorFlow(model, signature, manifest)


def version() -> str:
    """The library's version."""
    import tensorflow as tf

    return str(tf.__version__)
