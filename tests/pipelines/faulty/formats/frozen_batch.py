"""An exporter that ends well, says that the batch axis is dynamic, and writes a model that takes one item only."""

from __future__ import annotations

from pathlib import Path

from models.pair import ModelPair
from pipelines.formats import Exported
from pipelines.formats import onnx as sound

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
PACKAGES: tuple[str, ...] = ("torch", "onnx", "onnxscript")
EXTRA: str | None = None

operators = sound.operators


def export(pair: ModelPair, framework: str, variant: str, folder: Path) -> Exported:
    import onnx

    exported = sound.export(pair, framework, variant, folder)
    model = onnx.load(folder / sound.ENTRY)
    for tensor in model.graph.input:
        tensor.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, folder / sound.ENTRY)
    return exported
