"""An exporter that ends well, says that the batch axis is dynamic, and writes a model that takes one item only."""

from __future__ import annotations

from pathlib import Path

from models.pair import ModelPair
from pipelines.formats import Exported
from pipelines.formats.onnx import ENTRY
from pipelines.formats.onnx import export as export_onnx

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
PACKAGES: tuple[str, ...] = ("torch", "onnx", "onnxscript")


def export(pair: ModelPair, framework: str, variant: str, folder: Path) -> Exported:
    import onnx

    exported = export_onnx(pair, framework, variant, folder)
    model = onnx.load(folder / ENTRY)
    for tensor in model.graph.input:
        tensor.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, folder / ENTRY)
    return exported
