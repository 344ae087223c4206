"""The metrics of the axes fidelity and footprint: how each is read off a cell, and who judges it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from pipelines.results import Cell
from pipelines.scorecard import judges
from pipelines.scorecard.lines import Axis


@dataclass(frozen=True)
class Metric:
    """One figure of a cell (None where absent), its unit, and the rule for who leads on it."""

    axis: Axis
    name: str
    unit: str
    figure: Callable[[Cell], float | None]
    judge: judges.Judge
    higher_is_better: bool = False
    headline: bool = True
    workload: str | None = None
    """What it was measured under: a workload, or a capacity's SLO."""
    at_least: Callable[[Cell], bool] = lambda _: False
    """Whether a cell's figure is only a lower bound."""


def fidelity(tolerance: float) -> list[Metric]:
    """`tolerance` is the experiment's: differences within it lead nowhere."""
    return [
        Metric("fidelity", "worst parity error", "rel.", _worst_parity, judges.within(tolerance)),
        Metric("fidelity", "quality kept", "%", _quality_kept_percent, judges.within(100 * tolerance), True),
    ]


def footprint(cells: Sequence[Cell]) -> list[Metric]:
    """What is deployed is an environment on the process engine, else an image."""
    deployed = "environment" if any(cell.engine == "process" for cell in cells) else "image"
    return [
        Metric("footprint", "artifact size", "MB", _artifact_mb, judges.exact),
        Metric("footprint", f"{deployed} size", "MB", _image_mb, judges.exact),
        Metric("footprint", f"{deployed} beyond the base", "MB", _image_added_mb, judges.exact, headline=False),
        Metric("footprint", "peak memory", "MB", _memory_peak_mb, judges.once),
        Metric("footprint", "cold start", "s", _cold_start_s, judges.by_cold_starts(cells)),
    ]


def _worst_parity(cell: Cell) -> float | None:
    return max((hop.max_rel_error for hop in cell.parity if hop.max_rel_error is not None), default=None)


def _quality_kept_percent(cell: Cell) -> float | None:
    if cell.quality is None or cell.quality.reference == 0:
        return None
    return 100 * cell.quality.value / cell.quality.reference


def _artifact_mb(cell: Cell) -> float | None:
    return cell.export.bytes / 1e6 if cell.export else None


def _image_mb(cell: Cell) -> float | None:
    return cell.deploy.image_bytes / 1e6 if cell.deploy and cell.deploy.image_bytes is not None else None


def _image_added_mb(cell: Cell) -> float | None:
    deploy = cell.deploy
    if deploy is None or deploy.image_bytes is None or deploy.image_base_bytes is None:
        return None
    return (deploy.image_bytes - deploy.image_base_bytes) / 1e6


def _memory_peak_mb(cell: Cell) -> float | None:
    return cell.deploy.memory_peak_bytes / 1e6 if cell.deploy and cell.deploy.memory_peak_bytes is not None else None


def _cold_start_s(cell: Cell) -> float | None:
    return median(cell.deploy.cold_start_s) if cell.deploy else None
