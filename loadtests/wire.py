"""Blocks and results as JSON lines between the host and the load generator."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from loadtests.block import Block, Burst, Closed, ErrorKind, GeneratorUse, Open, Ramp, Replay, Result

ARRIVALS: dict[str, type[Closed | Open | Ramp | Burst | Replay]] = {
    "closed": Closed,
    "open": Open,
    "ramp": Ramp,
    "burst": Burst,
    "replay": Replay,
}


def block_to_json(block: Block) -> str:
    """One line, without its newline."""
    return json.dumps(dataclasses.asdict(block))


def block_from_json(line: str) -> Block:
    """Undo `block_to_json`."""
    fields: dict[str, Any] = json.loads(line)
    arrivals: dict[str, Any] = fields.pop("arrivals")
    fields["share"] = tuple(fields["share"])
    return Block(arrivals=ARRIVALS[arrivals["kind"]](**arrivals), **fields)


def result_to_json(result: Result) -> str:
    """One line, without its newline."""
    return json.dumps(dataclasses.asdict(result))


def result_from_json(fields: dict[str, Any]) -> Result:
    """Undo `result_to_json`, once parsed."""
    kinds = tuple(ErrorKind(**kind) for kind in fields["error_kinds"])
    return Result(**{**fields, "error_kinds": kinds, "generator": GeneratorUse(**fields["generator"])})
