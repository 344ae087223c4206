"""TFLite: one flatbuffer of built-in operators that LiteRT runs, with the signature's tensor names kept."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.pair import Matched
from pipelines.formats import Exported, _flatbuffer, _tflite_precision
from pipelines.formats._saved_model import SIGNATURE, save

FRAMEWORKS: tuple[str, ...] = ("tensorflow",)
VARIANTS: tuple[str, ...] = ("fp32", "fp16", "int8_dynamic", "int8_static")
PACKAGES: tuple[str, ...] = ("tensorflow", "keras")
EXTRA: str | None = None

ENTRY = "model.tflite"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Convert by way of a SavedModel; raises `ConverterError` where an operator is not built in.

    `from_concrete_functions` on a Keras model has been seen to write a 3 KB file that answers NaN, without an error.
    """
    import tensorflow as tf

    with TemporaryDirectory(dir=folder.parent) as scratch:
        save(matched, Path(scratch))
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch, signature_keys=[SIGNATURE])
        # No Flex fallback: a file with TensorFlow's own operators converts, and then no LiteRT can run it.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        flatbuffer = (
            _tflite_precision.int8_static(converter, matched)
            if variant == "int8_static"
            else _converted(converter, variant)
        )
    (folder / ENTRY).write_bytes(flatbuffer)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:
    """Operators of all subgraphs."""
    return _flatbuffer.operators(path)


def _converted(converter: Any, variant: str) -> bytes:
    """In a precision that needs no calibration; inputs and outputs stay the pair's.

    fp16 halves the weights, and CPUs without half floats compute in float32. int8_dynamic has weights in int8, and
    activations quantized as they come. Weights of convolutions are per channel.
    """
    import tensorflow as tf

    if variant != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def quantized(path: Path) -> int:
    """Tensors of 8 bits with a scale."""
    return _flatbuffer.quantized(path)
