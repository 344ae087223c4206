"""What the two ways to TorchScript share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.formats._eight_bits import INT8
from pipelines.formats._torch_program import KEPT

NOT_OFFERED = {"fp16": KEPT} | dict.fromkeys(
    INT8, "torch's eager quantization rewrites the module beforehand: that would be another source"
)
BOOKKEEPING = {"prim::Constant", "prim::GetAttr", "prim::ListConstruct", "prim::TupleConstruct"}
"""Nodes that name a value instead of computing one."""


def count(path: Path) -> int:
    """How many nodes the file's inlined graph has, blocks of branches and loops included."""
    import torch

    return _nodes(torch.jit.load(str(path)).inlined_graph)


def _nodes(block: Any) -> int:
    nodes = list(block.nodes())
    own = sum(node.kind() not in BOOKKEEPING for node in nodes)
    return own + sum(_nodes(inner) for node in nodes for inner in node.blocks())
