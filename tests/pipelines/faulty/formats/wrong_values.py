"""An exporter that ends well and writes a model with slightly other weights: only comparing its answers shows it."""

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
    largest = max(model.graph.initializer, key=lambda tensor: tensor.ByteSize())
    weights = onnx.numpy_helper.to_array(largest) * 1.01
    largest.CopyFrom(onnx.numpy_helper.from_array(weights.astype("float32"), largest.name))
    onnx.save(model, folder / sound.ENTRY)
    return exported
