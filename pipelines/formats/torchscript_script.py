"""TorchScript by compiling the module's Python: control flow stays control flow. One `.pt` file for libtorch."""

from __future__ import annotations

from pathlib import Path

from models.pair import Matched
from pipelines.formats import Exported
from pipelines.formats._torchscript import count

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
NOT_OFFERED = {
    "fp16": "the program keeps the dtypes of its source, and no step of this way out narrows them",
    "int8_dynamic": "torch's eager quantization rewrites the module beforehand: that would be another source",
    "int8_static": "torch's eager quantization rewrites the module beforehand: that would be another source",
}
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
    return count(path)
