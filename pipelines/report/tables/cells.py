"""One row a cell: whether it works, what it weighs, how long it took to warm up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from pipelines.figures import number
from pipelines.report.tables import NONE, Badge, Item, Row, Table, spread, words
from pipelines.results import Cell, WarmUp
from pipelines.scorecard.lines import FRAMEWORKS


def table(cells: Sequence[Cell], image_word: str) -> Table:
    """The cells that were tried, without the columns none of them has anything for."""
    metric = next((cell.quality.metric for cell in cells if cell.quality), "")
    columns = (
        ("Framework", ""),
        ("Format", ""),
        ("Server", ""),
        ("Status", ""),
        ("Parity", "worst hop"),
        ("Quality", metric),
        ("Artifact", "MB"),
        (image_word, "MB"),
        ("beyond base", "MB"),
        ("Cold start", "s, median; all"),
        ("Memory", "MB, idle / peak"),
        ("Warm-up", "s"),
    )
    return Table(columns, tuple(Row(_items(cell)) for cell in cells)).without_empty()


def _items(cell: Cell) -> tuple[Item, ...]:
    deploy, export = cell.deploy, cell.export
    errors = [hop.max_rel_error for hop in cell.parity if hop.max_rel_error is not None]
    added = None
    if deploy and deploy.image_bytes is not None and deploy.image_base_bytes is not None:
        added = deploy.image_bytes - deploy.image_base_bytes
    return (
        framework(cell),
        words(" ".join(part for part in (cell.format, cell.variant) if part != "-")),
        words(cell.server if cell.server != "-" else cell.id, below=cell.protocol),
        Item(badges=(Badge(cell.status, cell.status, cell.reason or ""),)),
        Item(number(max(errors)) if errors else NONE),
        Item(f"{cell.quality.value:.4f}" if cell.quality else NONE),
        _mb(export.bytes if export else None),
        _mb(deploy.image_bytes if deploy else None),
        _mb(added),
        Item(number(median(deploy.cold_start_s)), below=spread(deploy.cold_start_s)) if deploy else Item(NONE),
        Item(f"{_mb(deploy.memory_idle_bytes).text} / {_mb(deploy.memory_peak_bytes).text}") if deploy else Item(NONE),
        _warm_up(cell.warm_up),
    )


def framework(cell: Cell) -> Item:
    """The framework's name in its colour; nothing where a cell has none."""
    return Item(FRAMEWORKS.get(cell.framework, NONE), kind=f"text {cell.framework}")


def named(cell: Cell, label: str) -> Item:
    """The cell's label in its framework's colour."""
    return Item(label, kind=f"cell {cell.framework}")


def _warm_up(warm_up: WarmUp | None) -> Item:
    if warm_up is None:
        return Item(NONE)
    ended = f"{warm_up.windows} windows, stationary"
    if warm_up.stationary:
        return Item(number(warm_up.seconds), below=ended)
    why = "its last windows still drifted when the longest warm-up was over: raise load.warmup_s"
    return Item(number(warm_up.seconds), badges=(Badge("not stationary", "invalid", why),))


def _mb(count: int | None) -> Item:
    return Item(number(None if count is None else count / 1e6))
