"""The report's tables as plain rows of text: both templates lay them out, and neither computes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.figures import number

NONE = "–"
"""What stands where there is no figure."""


@dataclass(frozen=True)
class Badge:
    text: str
    kind: str
    """`ok`, `failed`, `invalid`, `different`, `equivalent`, `inconclusive` or `note`."""
    why: str = ""
    """What hovering it says."""


@dataclass(frozen=True)
class Item:
    """One place of a table."""

    text: str = ""
    beside: str = ""
    """Quieter, on the same line: a bound."""
    below: str = ""
    """Quieter, on a line of its own: a spread, a remedy."""
    why: str = ""
    """What hovering it says: above all why there is no figure."""
    kind: str = "num"
    """Its class: `num`, `text`, `torch`, `tensorflow`."""
    badges: tuple[Badge, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it says nothing, not even why."""
        return self.text in ("", NONE) and not self.badges and not self.why


@dataclass(frozen=True)
class Row:
    items: tuple[Item, ...]
    kind: str = ""
    """`starts` where a group begins, `invalid` where its figures cannot be believed."""


@dataclass(frozen=True)
class Table:
    columns: tuple[tuple[str, str], ...]
    """Name, and unit or explanation."""
    rows: tuple[Row, ...]

    def without_empty(self) -> Table:
        """Without the columns that say nothing in any row."""
        kept = [i for i in range(len(self.columns)) if not all(row.items[i].empty for row in self.rows)]
        rows = tuple(Row(tuple(row.items[i] for i in kept), row.kind) for row in self.rows)
        return Table(tuple(self.columns[i] for i in kept), rows)


def words(text: str | None, below: str = "") -> Item:
    """An item of text rather than of figures."""
    return Item(text or NONE, below=below, kind="text")


def pooled(value: float | None, blocks: Sequence[float | None], why: str = "", upper: float | None = None) -> Item:
    """`5.21 ≤ 5.40`, and below `5.10–5.30`: all blocks pooled, the upper bound, the lowest and the highest block.

    No range where a block cannot tell the figure: that of the others need not even contain the pooled one.
    """
    if value is None:
        return Item(NONE, why=why)
    beside = f"≤ {number(upper)}" if upper is not None else ""
    known = [figure for figure in blocks if figure is not None]
    if len(known) < len(blocks):
        silent = f"no range: {len(blocks) - len(known)} of {len(blocks)} blocks cannot tell it alone"
        return Item(number(value), beside=beside, why=silent)
    return Item(number(value), beside=beside, below=spread(known))


def spread(values: Sequence[float]) -> str:
    return f"{number(min(values))}–{number(max(values))}" if len(values) > 1 else ""
