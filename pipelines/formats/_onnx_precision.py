"""ONNX in other precisions, by ONNX Runtime's own tools, as is right for processors without VNNI.

int8 is per channel. Without VNNI the sums of products of an unsigned and a signed byte saturate in 16 bits, which costs
a multilayer perceptron 23 % of its largest output. So signed weights have 7 bits (`reduce_range`: 1.6 %), and where
those are too few, as in MobileNetV2's convolutions, weights are unsigned: such products are summed up in 32 bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.pair import Matched, Tensors
from pipelines.formats._eight_bits import calibration


def lower(path: Path, variant: str, matched: Matched) -> None:
    """Rewrite the fp32 model at `path` in another precision; its inputs and outputs stay as they are."""
    {"fp16": _fp16, "int8_dynamic": _int8_dynamic, "int8_static": _int8_static}[variant](path, matched)


def _fp16(path: Path, matched: Matched) -> None:  # noqa: ARG001
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = OnnxModel(convert_float_to_float16(onnx.load(path), keep_io_types=True))
    model.topological_sort()  # casts of inputs come last, behind those who use them
    onnx.save(model.model, path)


def _int8_dynamic(path: Path, matched: Matched) -> None:  # noqa: ARG001
    """Weights of matrix products in int8, activations quantized as they come.

    Convolutions stay float: quantized as they come they are four times slower than fp32.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    prepared = _prepared(path)
    quantize_dynamic(
        prepared,
        path,
        op_types_to_quantize=["MatMul", "Gemm", "Gather", "Attention", "LSTM", "EmbedLayerNormalization"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )


def _int8_static(path: Path, matched: Matched) -> None:
    """Weights and activations of convolutions and of products with weights in int8, ranges from real inputs.

    The rest stays float, the outputs of products with it: a transformer's softmax, normalizations, masks and sums have
    ranges that 8 bits cannot hold. All of it quantized, the embeddings of MiniLM keep a cosine of 0.73, and so 0.99.
    A graph without weights stays as it is.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    prepared = _prepared(path)
    graph = onnx.load(prepared).graph
    nodes = tolerant(graph)
    if not nodes:  # which the quantizer takes for all of them
        return
    convolutions = any(node.op_type == "Conv" for node in graph.node)
    quantize_static(
        prepared,
        path,
        _Inputs(matched),
        quant_format=QuantFormat.QDQ,
        nodes_to_quantize=nodes,
        per_channel=True,
        reduce_range=not convolutions,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QUInt8 if convolutions else QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"], "WeightSymmetric": True},
    )


def tolerant(graph: Any) -> list[str]:
    """Names of the nodes that 8 bits do little harm: those with weights, and what follows convolutions."""
    weights = {tensor.name for tensor in graph.initializer}
    weights |= {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    follow = {"Relu", "Clip", "MaxPool", "Add"} if any(node.op_type == "Conv" for node in graph.node) else set()
    return [
        node.name
        for node in graph.node
        if node.op_type in {"Conv", *follow}
        or (node.op_type in {"MatMul", "Gemm"} and weights & set(node.input))
        or (node.op_type == "Gather" and node.input[0] in weights)
    ]


def _prepared(path: Path) -> Path:
    """Shapes inferred and nodes fused, as the quantizer wants it; beside the file, since it is read lazily."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = Path(tempfile.mkdtemp(dir=path.parent.parent)) / path.name
    # Symbolic inference knows fewer operators than ONNX's own, and gives up on whole models.
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    return prepared


class _Inputs:
    """The calibration inputs, one after another, as ONNX Runtime's calibrators ask for them."""

    def __init__(self, matched: Matched) -> None:
        self._left: Iterator[Tensors] = iter(calibration(matched))

    def get_next(self) -> Any:
        """The next inputs by name, None after the last."""
        return next(self._left, None)
