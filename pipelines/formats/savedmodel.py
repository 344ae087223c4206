"""TensorFlow SavedModel: a folder with a graph, the weights once, and one `serving_default` signature."""

from __future__ import annotations

from pathlib import Path

from models.pair import ModelPair
from pipelines.formats import Exported
from pipelines.formats._saved_model import save

FRAMEWORKS: tuple[str, ...] = ("tensorflow",)
VARIANTS: tuple[str, ...] = ("fp32",)
PACKAGES: tuple[str, ...] = ("tensorflow", "keras")

ENTRY = "saved_model"


def export(pair: ModelPair, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Save the twin; raises what TensorFlow raises."""
    save(pair, folder / ENTRY)
    return Exported(ENTRY, pair.inputs, pair.outputs)
