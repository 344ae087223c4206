"""AOTInductor: one `.pt2` package with a shared library compiled for this processor, the weights inside."""

from __future__ import annotations

from pathlib import Path

from models.pair import Matched
from pipelines.formats import Exported
from pipelines.formats._eight_bits import INT8
from pipelines.formats._torch_program import KEPT, program

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
NOT_OFFERED = {"fp16": KEPT} | dict.fromkeys(
    INT8, "Inductor's quantizer is for x86 processors with VNNI, and was not built here"
)
PACKAGES: tuple[str, ...] = ("torch",)
EXTRA: str | None = None

ENTRY = "model.pt2"
TOOLS = {"g++": "apt-get install g++"}


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Export and compile; raises what torch.export and inductor raise."""
    import torch

    torch._inductor.aoti_compile_and_package(
        program(matched),
        package_path=str(folder / ENTRY),
        # Else the number of threads of this machine is compiled in, and the server's own setting means nothing.
        inductor_configs={"cpp.dynamic_threads": True},
    )
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:  # noqa: ARG001
    """Machine code has kernels, fused from operators: nothing to count."""
    return None
