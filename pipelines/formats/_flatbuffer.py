"""What can be read in a TFLite flatbuffer, whoever wrote it."""

from __future__ import annotations

from pathlib import Path


def operators(path: Path) -> int:
    """Operators of all subgraphs."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes())
    return sum(model.Subgraphs(index).OperatorsLength() for index in range(model.SubgraphsLength()))
