"""What both reports show, as tables of text and records: the templates only lay it out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.figures import duration
from pipelines.report.looks import Look, looks
from pipelines.report.tables import Table, capacities, cells, conditions, loads, ratios, settings, trust
from pipelines.report.tables.ratios import Ratios
from pipelines.report.tables.settings import Facts
from pipelines.results import Capacity, Cell, Results
from pipelines.scorecard import score
from pipelines.scorecard.lines import FRAMEWORKS, Scorecard

AXIS_QUESTIONS = {
    "reach": "Which export paths work?",
    "fidelity": "Does the deployed model still answer like the source?",
    "footprint": "What does a deployment weigh?",
    "speed": "How fast does it answer, at what cost?",
}


@dataclass(frozen=True)
class ModelView:
    """One model: its cells that were tried, and everything measured on them."""

    name: str
    cells: tuple[Cell, ...]
    looks: dict[str, Look]
    """By cell id."""
    cell_table: Table
    load_table: Table
    conditions: Table
    """The generator, the machine and the gates of each load."""
    ratios: tuple[Ratios, ...]
    capacities: Table
    searches: tuple[tuple[str, Capacity, Table], ...]
    """Cell's label, capacity, and the trials of its search."""
    valid: bool
    """Whether all its loads passed their gates."""


@dataclass(frozen=True)
class View:
    """Everything a template needs."""

    results: Results
    scorecard: Scorecard | None
    """None where no cell belongs to a framework: there are no two sides then."""
    title: str
    summary: str
    models: tuple[ModelView, ...]
    troubled: tuple[Cell, ...]
    """Failed and invalid cells."""
    skipped: tuple[Cell, ...]
    settings: Facts
    environment: Facts
    trust: Facts
    """Empty where this machine was not calibrated."""
    trials: tuple[tuple[str, Table], ...]
    """The calibration's own, by title."""
    calibrate: str
    """What makes a calibration."""
    questions: dict[str, str]
    frameworks: dict[str, str]


def view(results: Results) -> View:
    """Lay the results out for reading."""
    tried = [cell for cell in results.cells if cell.status != "skipped"]
    compared = any(cell.framework in FRAMEWORKS for cell in results.cells)
    return View(
        results=results,
        scorecard=score(results) if compared else None,
        title=f"{results.experiment['name']} · {results.run_id}",
        summary=_summary(results, tried),
        models=tuple(
            _model(name, [cell for cell in tried if cell.model == name], results)
            for name in dict.fromkeys(cell.model for cell in results.cells)
        ),
        troubled=tuple(cell for cell in tried if cell.status != "ok"),
        skipped=tuple(cell for cell in results.cells if cell.status == "skipped"),
        settings=settings.settings(results),
        environment=settings.environment(results),
        trust=trust.facts(results.trust) if results.trust else (),
        trials=trust.trials(results.trust) if results.trust else (),
        calibrate=trust.HOW,
        questions=AXIS_QUESTIONS,
        frameworks=FRAMEWORKS,
    )


def _model(name: str, tried: Sequence[Cell], results: Results) -> ModelView:
    looked = looks(tried)
    return ModelView(
        name=name,
        cells=tuple(tried),
        looks=looked,
        cell_table=cells.table(tried, "Environment" if _engine(results) == "process" else "Image"),
        load_table=loads.table(tried, looked),
        conditions=conditions.table(tried, looked),
        ratios=ratios.of(tried, results.comparisons, looked),
        capacities=capacities.table(tried, looked),
        searches=tuple(
            (looked[cell.id].label, cell.capacity, capacities.trials(cell.capacity.trials))
            for cell in tried
            if cell.capacity and cell.capacity.trials
        ),
        valid=all(load.valid for cell in tried for load in cell.loads),
    )


def _summary(results: Results, tried: Sequence[Cell]) -> str:
    counts = {status: sum(cell.status == status for cell in tried) for status in ("ok", "failed", "invalid")}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    timing = results.timing
    took = f"{duration(timing.total_s)} in all, {duration(timing.measuring_s)} of it measuring"
    return f"{len(tried)} cell{'s' * (len(tried) != 1)}: {said or 'none done'} · {_engine(results)} engine · {took}"


def _engine(results: Results) -> str:
    return str(results.environment.get("engine", "unknown"))
