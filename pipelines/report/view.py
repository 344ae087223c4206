"""What both reports show, as plain rows of text and figures: the templates only lay it out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pipelines.figures import duration, number
from pipelines.results import Cell, Load, Results
from pipelines.scorecard.lines import FRAMEWORKS, Scorecard

AXIS_QUESTIONS = {
    "reach": "Which export paths work?",
    "fidelity": "Does the deployed model still answer like the source?",
    "footprint": "What does a deployment weigh?",
    "speed": "How fast does it answer, at what cost?",
}


@dataclass(frozen=True)
class CellRow:
    """One cell of the big table, its figures as text."""

    cell: Cell
    framework: str
    parity: str
    quality: str
    artifact_mb: str
    image_mb: str
    image_added_mb: str
    cold_start_s: str
    memory_mb: str


@dataclass(frozen=True)
class LoadRow:
    """One workload on one cell; latencies with their spread over blocks."""

    cell: Cell
    load: Load
    framework: str
    p50: str
    p90: str
    p99: str
    rps: str
    cpu_ms: str
    lag: str
    gates: tuple[tuple[str, bool, str], ...]
    """Name, whether it passed, and what it saw."""


@dataclass(frozen=True)
class View:
    """Everything a template needs."""

    results: Results
    scorecard: Scorecard
    title: str
    summary: str
    models: tuple[str, ...]
    cells: dict[str, tuple[CellRow, ...]]
    """By model: the cells that were tried."""
    loads: dict[str, tuple[LoadRow, ...]]
    """By model: workloads in order, cells within them."""
    troubled: tuple[Cell, ...]
    """Failed and invalid cells."""
    skipped: tuple[Cell, ...]
    environment: tuple[tuple[str, str], ...]
    image_word: str
    """What a server starts from on the run's engine."""
    questions: dict[str, str]
    frameworks: dict[str, str]


def view(results: Results, scorecard: Scorecard) -> View:
    """Lay the results out for reading."""
    tried = [cell for cell in results.cells if cell.status != "skipped"]
    models = tuple(dict.fromkeys(cell.model for cell in results.cells))
    return View(
        results=results,
        scorecard=scorecard,
        title=f"{results.experiment['name']} · {results.run_id}",
        summary=_summary(results, tried),
        models=models,
        cells={model: tuple(_cell_row(cell) for cell in tried if cell.model == model) for model in models},
        loads={model: tuple(_load_rows([cell for cell in tried if cell.model == model])) for model in models},
        troubled=tuple(cell for cell in tried if cell.status != "ok"),
        skipped=tuple(cell for cell in results.cells if cell.status == "skipped"),
        environment=tuple(_environment(results.environment)),
        image_word="Environment" if _engine(results) == "process" else "Image",
        questions=AXIS_QUESTIONS,
        frameworks=FRAMEWORKS,
    )


def _summary(results: Results, tried: Sequence[Cell]) -> str:
    counts = {status: sum(cell.status == status for cell in tried) for status in ("ok", "failed", "invalid")}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    timing = results.timing
    took = f"{duration(timing.total_s)} in all, {duration(timing.measuring_s)} of it measuring"
    return f"{len(tried)} cells: {said or 'none done'} · {_engine(results)} engine · {took}"


def _engine(results: Results) -> str:
    return str(results.environment.get("engine", "unknown"))


def _cell_row(cell: Cell) -> CellRow:
    deploy, export = cell.deploy, cell.export
    errors = [hop.max_rel_error for hop in cell.parity if hop.max_rel_error is not None]
    added = None
    if deploy and deploy.image_bytes is not None and deploy.image_base_bytes is not None:
        added = deploy.image_bytes - deploy.image_base_bytes
    memory = "–"
    if deploy:
        memory = f"{_mb(deploy.memory_idle_bytes)} / {_mb(deploy.memory_peak_bytes)}"
    return CellRow(
        cell=cell,
        framework=FRAMEWORKS[cell.framework],
        parity=number(max(errors)) if errors else "–",
        quality=f"{cell.quality.value:.4f}" if cell.quality else "–",
        artifact_mb=_mb(export.bytes if export else None),
        image_mb=_mb(deploy.image_bytes if deploy else None),
        image_added_mb=_mb(added),
        cold_start_s=_spread(deploy.cold_start_s) if deploy else "–",
        memory_mb=memory,
    )


def _load_rows(cells: Sequence[Cell]) -> list[LoadRow]:
    workloads = dict.fromkeys(load.workload for cell in cells for load in cell.loads)
    return [
        _load_row(cell, load) for name in workloads for cell in cells for load in cell.loads if load.workload == name
    ]


def _load_row(cell: Cell, load: Load) -> LoadRow:
    def percentile(name: str) -> str:
        pooled = getattr(load.latency_ms, name)
        blocks = [getattr(block.latency_ms, name) for block in load.blocks]
        return _with_spread(pooled, [value for value in blocks if value is not None])

    lag = load.generator.lag_p99_ms
    return LoadRow(
        cell=cell,
        load=load,
        framework=FRAMEWORKS[cell.framework],
        p50=percentile("p50"),
        p90=percentile("p90"),
        p99=percentile("p99"),
        rps=_with_spread(load.achieved_rps, [block.achieved_rps for block in load.blocks]),
        cpu_ms=_with_spread(
            load.cpu_ms_per_request,
            [block.cpu_ms_per_request for block in load.blocks if block.cpu_ms_per_request is not None],
        ),
        lag=f"{number(lag)}",
        gates=tuple(
            (gate.name, gate.passed, f"{number(gate.value)} {gate.unit}, limit {number(gate.limit)}")
            for gate in load.gates
        ),
    )


def _with_spread(pooled: float | None, blocks: Sequence[float]) -> str:
    """`5.21 (5.10–5.40)`: all blocks pooled, and the lowest and highest block."""
    if pooled is None:
        return "–"
    if len(blocks) < 2:
        return number(pooled)
    return f"{number(pooled)} ({number(min(blocks))}–{number(max(blocks))})"


def _spread(values: Sequence[float]) -> str:
    return _with_spread(median(values), values)


def _mb(count: int | None) -> str:
    return number(None if count is None else count / 1e6)


def _environment(environment: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for key, value in environment.items():
        if isinstance(value, dict):
            text = " · ".join(f"{name} {item}" for name, item in value.items() if item is not None)
        else:
            text = "–" if value is None else str(value)
        if key.endswith("_bytes") and isinstance(value, int):
            text = f"{value / 1e9:.1f} GB"
        rows.append((key.removesuffix("_bytes").replace("_", " "), text))
    return rows
