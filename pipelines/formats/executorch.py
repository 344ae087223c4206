"""ExecuTorch: one `.pte` program whose operators XNNPACK runs where it has them, the weights inside."""

from __future__ import annotations

from pathlib import Path

from models.pair import Matched
from pipelines.formats import Exported
from pipelines.formats._torch_program import program

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
PACKAGES: tuple[str, ...] = ("executorch", "torch")
EXTRA: str | None = "executorch"

ENTRY = "model.pte"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Export, lower and plan the memory; raises what torch.export or one of ExecuTorch's passes raises.

    Memory is planned for the largest size of each axis: larger inputs are refused when it runs.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(program(matched), partitioner=[XnnpackPartitioner()])
    with (folder / ENTRY).open("wb") as file:
        lowered.to_executorch().write_to_file(file)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:  # noqa: ARG001
    """The program sees each part that XNNPACK took as one call, and that part has no reader in Python."""
    return None
