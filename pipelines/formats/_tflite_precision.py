"""TFLite in static int8, as far as 8 bits hold what a model computes; the ranges of activations are from real inputs.

TFLite quantizes what an operator puts out together with what it takes in, per tensor. So it is the outputs that decide:
shortcuts' sums, whose rounding adds up from block to block, and what has a few values far beyond all others.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from models.pair import Matched, Tensors
from pipelines.formats import _flatbuffer
from pipelines.formats._eight_bits import LOOKED_AT, calibration, loud
from pipelines.formats._saved_model import SIGNATURE

CONVOLUTIONS = {"CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}
SUMS = {"ADD"}
PRODUCT = "FULLY_CONNECTED"
LOUD_CONVOLUTION = 0.032
"""As `LOUD`, of what a convolution puts out: where one follows another, their rounding adds up. It leaves 13 of
MobileNetV2's 52 float, most in its last blocks. On the same photographs its largest answer was the source's for 88 %
with all in int8, 89 % (on another processor 93 %) without the sums, 90 % without four of the convolutions (0.05), and
94 % without these; the logits' error fell from 0.79 to 0.58, 0.43 and 0.38."""
TOLERANT = {PRODUCT, "GATHER"}
"""What holds weights where there are no convolutions: softmax, normalizations and sums of a transformer stay float. All
of it quantized, the embeddings of MiniLM keep a cosine of 0.71."""


def int8_static(converter: Any, matched: Matched) -> bytes:
    """Weights (of convolutions per channel) and activations in int8; inputs and outputs stay the pair's.

    TFLite's calibrator resizes one input after another, and prepares the model between: where two inputs of unequal
    sizes must agree it fails when the next case has another size. It is then given the cases of one size only.
    """
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
    inputs = calibration(matched)
    converter.representative_dataset = lambda: _with_signature(inputs)
    try:
        whole = bytes(converter.convert())
    except RuntimeError:
        traceback.print_exc()
        inputs = _of_one_size(inputs)
        whole = bytes(converter.convert())
    kinds = _flatbuffer.kinds(whole)
    if kinds & CONVOLUTIONS:
        left_out = kinds & SUMS
    elif PRODUCT in kinds:
        left_out = kinds - TOLERANT
    else:
        return whole
    options = tf.lite.experimental.QuantizationDebugOptions
    # TensorFlow's public way to leave operators out; it calibrates once, and quantizes as often as asked.
    try:
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_options=options(denylisted_ops=sorted(left_out))
        )
    except ValueError:  # it runs no model with branches or loops
        traceback.print_exc()
        return whole
    calibrated, looked_at = bytes(debugger.calibrated_model), inputs[:LOOKED_AT]
    spoilt = loud(_seen(calibrated, {PRODUCT}, looked_at))
    spoilt += loud(_seen(calibrated, kinds & CONVOLUTIONS, looked_at), LOUD_CONVOLUTION)
    debugger.options = options(denylisted_ops=sorted(left_out), denylisted_nodes=spoilt)
    return bytes(debugger.get_nondebug_quantized_model())


def _of_one_size(inputs: Sequence[Tensors]) -> list[Tensors]:
    """Those of the sizes that the last one has: what was tried first may be a size of 1, which hides an axis."""
    sizes = _sizes(inputs[-1])
    return [each for each in inputs if _sizes(each) == sizes]


def _sizes(inputs: Tensors) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in inputs.items()}


def _with_signature(inputs: Sequence[Tensors]) -> Iterator[tuple[str, Tensors]]:
    """By name, each with the signature that they are of: by position their order is not kept."""
    for each in inputs:
        yield SIGNATURE, each


def _seen(calibrated: bytes, kinds: Iterable[str], inputs: Sequence[Tensors]) -> dict[str, list[np.ndarray]]:
    """What operators of these kinds put out, by the name of that tensor."""
    from ai_edge_litert.interpreter import Interpreter

    outputs = {name: index for kind in kinds for name, index in _flatbuffer.outputs(calibrated, kind).items()}
    if not outputs:
        return {}
    interpreter = Interpreter(model_content=calibrated, experimental_preserve_all_tensors=True)
    run = interpreter.get_signature_runner(SIGNATURE)
    seen: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    for each in inputs:
        run(**each)
        for name, index in outputs.items():
            seen[name].append(interpreter.get_tensor(index))
    return seen
