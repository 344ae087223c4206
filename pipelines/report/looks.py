"""How cells are told apart: a short name, a colour, a dash and a symbol, so that no reader depends on colour. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.results import Cell

COLORS = {
    "torch": ("#d9480f", "#9c3606", "#f08c4a"),
    "tensorflow": ("#1864ab", "#0b3c6f", "#4a9bd9"),
}
"""A framework has a hue, its paths have shades; readers who do not see red and green alike tell the hues apart."""
OTHERS = ("#5f3dc4", "#087f5b", "#a61e4d", "#495057", "#7f6a00")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")
SHORT = {"torch": "torch", "tensorflow": "tf"}
ABSENT = "-"
"""What a cell says in a field that does not apply to it: an endpoint by its URL has no framework."""


@dataclass(frozen=True)
class Look:
    label: str
    color: str
    dash: str
    symbol: str


def looks(cells: Sequence[Cell]) -> dict[str, Look]:
    """By cell id: the looks of one model's cells."""
    labels = _labels(cells)
    found: dict[str, Look] = {}
    for i, cell in enumerate(cells):
        nth = sum(before.framework == cell.framework for before in cells[:i])
        shades = COLORS.get(cell.framework, OTHERS)
        turn = i + nth // len(shades)  # a shade that returns has another dash
        found[cell.id] = Look(
            labels[i], shades[nth % len(shades)], DASHES[turn % len(DASHES)], SYMBOLS[turn % len(SYMBOLS)]
        )
    return found


def _labels(cells: Sequence[Cell]) -> list[str]:
    """Framework and format, and of the other fields what tells apart cells that share these; else the whole id."""
    labels = [_label(cell, cells) for cell in cells]
    return [label if label and labels.count(label) == 1 else cell.id for label, cell in zip(labels, cells, strict=True)]


def _label(cell: Cell, among: Sequence[Cell]) -> str:
    same = [other for other in among if (other.framework, other.format) == (cell.framework, cell.format)]
    parts = [SHORT.get(cell.framework, cell.framework), cell.format]
    for field in ("variant", "server", "protocol"):
        if len({getattr(other, field) for other in same}) > 1:
            parts.append(getattr(cell, field))
    return " ".join(part for part in parts if part != ABSENT)
