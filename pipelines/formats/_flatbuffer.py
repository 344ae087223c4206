"""What can be read in a TFLite flatbuffer, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def operators(path: Path) -> int:
    """Operators of all subgraphs."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes())
    return sum(model.Subgraphs(index).OperatorsLength() for index in range(model.SubgraphsLength()))


def quantized(path: Path) -> int:
    """Tensors of 8 bits with a scale, of all subgraphs."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes())
    graphs = map(model.Subgraphs, range(model.SubgraphsLength()))
    tensors = (tensor for graph in graphs for tensor in map(graph.Tensors, range(graph.TensorsLength())))
    return sum(tensor.Type() == schema.TensorType.INT8 and _has_scale(tensor.Quantization()) for tensor in tensors)


def _has_scale(found: Any) -> bool:
    return found is not None and found.ScaleLength() > 0


def kinds(flatbuffer: bytes) -> set[str]:
    """The built-in operators it names, as the schema does: `FULLY_CONNECTED`, …"""
    from ai_edge_litert import schema_py_generated as schema

    return set(_names(schema.Model.GetRootAs(flatbuffer)))


def outputs(flatbuffer: bytes, kind: str) -> dict[str, int]:
    """Index by name of the first output of each operator of a kind, in the first subgraph."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(flatbuffer)
    graph, names = model.Subgraphs(0), _names(model)
    operators_ = map(graph.Operators, range(graph.OperatorsLength()))
    indices = [each.Outputs(0) for each in operators_ if names[each.OpcodeIndex()] == kind]
    return {graph.Tensors(index).Name().decode(): index for index in indices}


def _names(model: Any) -> list[str]:
    """Of its operator codes, by their index."""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    return [names[model.OperatorCodes(index).BuiltinCode()] for index in range(model.OperatorCodesLength())]
