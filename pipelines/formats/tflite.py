"""TFLite: one flatbuffer of built-in operators that LiteRT runs, with the signature's tensor names kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.pair import Matched, Tensors
from pipelines.formats import Exported, _flatbuffer
from pipelines.formats._saved_model import SIGNATURE, save

FRAMEWORKS: tuple[str, ...] = ("tensorflow",)
VARIANTS: tuple[str, ...] = ("fp32", "fp16", "int8_dynamic", "int8_static")
PACKAGES: tuple[str, ...] = ("tensorflow", "keras")
EXTRA: str | None = None

ENTRY = "model.tflite"
CONVOLUTIONS = {"CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}
SAMPLES = 128
"""Calibration inputs that are looked at, at most."""


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
        flatbuffer = _int8_static(converter, matched) if variant == "int8_static" else _converted(converter, variant)
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


def _int8_static(converter: Any, matched: Matched) -> bytes:
    """Weights and activations in int8, the ranges of activations from real inputs; inputs and outputs stay the pair's.

    Where there are convolutions, all operators that have a way in int8. Elsewhere only the products with weights: the
    softmax, normalizations and sums of a transformer have ranges that 8 bits cannot hold. All of it quantized, the
    embeddings of MiniLM keep a cosine of 0.71.
    """
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.representative_dataset = lambda: _calibration(matched)
    whole = bytes(converter.convert())
    kinds = _flatbuffer.kinds(whole)
    if kinds & CONVOLUTIONS or "FULLY_CONNECTED" not in kinds:
        return whole
    selected = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=sorted(kinds - {"FULLY_CONNECTED"}))
    # The debugger is TensorFlow's public way to leave kinds of operators out.
    debugger = tf.lite.experimental.QuantizationDebugger(converter=converter, debug_options=selected)
    return bytes(debugger.get_nondebug_quantized_model())


def _calibration(matched: Matched) -> Iterator[tuple[str, Tensors]]:
    """Calibration inputs by name, each with the signature that they are of: by position their order is not kept."""
    for inputs in list(matched.calibration_inputs())[:SAMPLES]:
        yield SIGNATURE, inputs
