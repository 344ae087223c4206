"""torch.export: one `.pt2` archive with the graph of ATen operators and the weights, for libtorch with Python."""

from __future__ import annotations

from pathlib import Path

from models.pair import Matched
from pipelines.formats import Exported
from pipelines.formats._eight_bits import INT8
from pipelines.formats._torch_program import KEPT, program

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
NOT_OFFERED = {"fp16": KEPT} | dict.fromkeys(
    INT8, "quantized by pt2e it computes in emulated integers, unless a backend lowers it: see executorch"
)
PACKAGES: tuple[str, ...] = ("torch",)
EXTRA: str | None = None

ENTRY = "model.pt2"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Export and save; raises what torch.export raises, among it where Python code looks at a tensor's values."""
    import torch

    torch.export.save(program(matched), folder / ENTRY)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:
    """Calls in the graph and its subgraphs."""
    import torch

    found = torch.export.load(str(path)).graph_module
    graphs = [module.graph for module in found.modules() if isinstance(module, torch.fx.GraphModule)]
    return len([node for graph in graphs for node in graph.nodes if node.op == "call_function"])
