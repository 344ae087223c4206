"""TensorFlow: SavedModel folders by their signature. https://www.tensorflow.org/guide/saved_model"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from serving.reference.artifact import ArtifactError, Manifest
from serving.reference.runtimes import NUMBERS, Arrays, RuntimeUnavailable, check_tensors

DTYPES = NUMBERS | {"object"}

SIGNATURE = "serving_default"


class TensorFlow:
    """A SavedModel's signature; the model is kept because the signature holds its variables only weakly.

    Copies: each input once, as TensorFlow wants memory aligned to 64 bytes that nobody else writes to; each output
    once, by `numpy()`.
    """

    def __init__(self, model: Any, signature: Any, manifest: Manifest) -> None:
        import tensorflow as tf

        self._constant = tf.constant
        self._model = model
        self._signature = signature
        self._outputs = {tensor.name: np.dtype(tensor.dtype) for tensor in manifest.outputs}

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        result = self._signature(**{name: self._constant(array) for name, array in inputs.items()})
        # A scalar comes as a NumPy scalar, or as bytes.
        return {name: np.asarray(result[name].numpy(), dtype) for name, dtype in self._outputs.items()}


def load(path: Path, manifest: Manifest, threads: int) -> TensorFlow:
    """Load a SavedModel; raises `ArtifactError` where it has no such signature or other tensors.

    The threads belong to the process: raises `RuntimeUnavailable` where TensorFlow already computes in it on another
    number of them.
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
    check_tensors("input", manifest.inputs, _dtypes(signature.structured_input_signature[1]))
    check_tensors("output", manifest.outputs, _dtypes(signature.structured_outputs))
    return TensorFlow(model, signature, manifest)


def version() -> str:
    """The library's version."""
    import tensorflow as tf

    return str(tf.__version__)


def _dtypes(specs: dict[str, Any]) -> dict[str, str]:
    return {name: np.dtype(spec.dtype.as_numpy_dtype).name for name, spec in specs.items()}
