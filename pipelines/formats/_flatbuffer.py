"""What can be read in a TFLite flatbuffer, whoever wrote it."""

from __future__ import annotations

from pathlib import Path


def operators(path: Path) -> int:
    """Operators of all subgraphs."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes())
    return sum(model.Subgraphs(index).OperatorsLength() for index in range(model.SubgraphsLength()))


def kinds(flatbuffer: bytes) -> set[str]:
    """The built-in operators it names, as the schema does: `FULLY_CONNECTED`, …"""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model = schema.Model.GetRootAs(flatbuffer)
    return {names[model.OperatorCodes(index).BuiltinCode()] for index in range(model.OperatorCodesLength())}
