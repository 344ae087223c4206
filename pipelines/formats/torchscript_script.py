"""TorchScript by compiling the module's Python: control flow stays control flow. One `.pt` file for libtorch."""

from __future__ import annotations

from pathlib import Path

from models.pair import Matched
from pipelines.formats import Exported, _torchscript

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
NOT_OFFERED = _torchscript.NOT_OFFERED
PACKAGES: tuple[str, ...] = ("torch",)
EXTRA: str | None = None

ENTRY = "model.pt"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Compile and save; raises what torch.jit raises on Python outside its subset."""
    import torch

    torch.jit.script(matched.build("torch")).save(folder / ENTRY)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:
    """Nodes of the inlined graph and its blocks."""
    return _torchscript.count(path)
