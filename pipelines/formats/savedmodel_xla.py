"""TensorFlow SavedModel whose signature XLA compiles: at run time, anew for each shape that comes."""

from __future__ import annotations

from pathlib import Path

from models.pair import Matched
from pipelines.formats import Exported, _saved_model

FRAMEWORKS: tuple[str, ...] = ("tensorflow",)
VARIANTS: tuple[str, ...] = ("fp32",)
NOT_OFFERED = _saved_model.NOT_OFFERED
PACKAGES: tuple[str, ...] = ("tensorflow", "keras")
EXTRA: str | None = None

ENTRY = "saved_model"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Save the twin; raises what TensorFlow raises. What XLA cannot compile shows at the first request only."""
    _saved_model.save(matched, folder / ENTRY, compiled=True)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:
    """Nodes of the graph and of its functions."""
    return _saved_model.nodes(path)
