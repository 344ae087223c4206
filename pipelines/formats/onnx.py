"""ONNX: one self-contained `.onnx` file with the pair's tensor names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.pair import Matched
from pipelines.formats import Exported, _onnx_precision, _onnx_tensorflow, _onnx_torch

FRAMEWORKS: tuple[str, ...] = ("torch", "tensorflow")
VARIANTS: tuple[str, ...] = ("fp32", "fp16", "int8_dynamic", "int8_static")
PACKAGES: tuple[str, ...] = ("torch", "onnx", "onnxscript", "tensorflow", "keras", "tf2onnx", "onnxruntime")
EXTRA: str | None = None

ENTRY = "model.onnx"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:
    """Export, then lower the precision; raises what the converter, the quantizer or ONNX's checker raises."""
    import onnx

    path = folder / ENTRY
    {"torch": _onnx_torch, "tensorflow": _onnx_tensorflow}[framework].write(matched, path)
    if variant != "fp32":
        _onnx_precision.lower(path, variant, matched)
    onnx.checker.check_model(path)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:
    """Nodes of the graph, of the bodies of its branches and loops, and of its functions."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    return _nodes(model.graph) + sum(len(each.node) for each in model.functions)


def quantized(path: Path) -> int:
    """Nodes that quantize or compute in integers, of the bodies of branches and loops too."""
    import onnx

    return _of_integers(onnx.load(path, load_external_data=False).graph)


def _of_integers(graph: Any) -> int:
    own: int = sum(
        "Quantize" in node.op_type or node.op_type.startswith("Q") or node.op_type.endswith("Integer")
        for node in graph.node
    )
    return own + sum(map(_of_integers, _bodies(graph)))


def _nodes(graph: Any) -> int:
    return len(graph.node) + sum(map(_nodes, _bodies(graph)))


def _bodies(graph: Any) -> list[Any]:
    """The graphs of its branches and loops."""
    return [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
