"""The row "Deployment: PyTorch | TensorFlow", quantified from results. Pure. Axes and verdicts, never a total."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.results import Cell, Comparison, Load, Percentiles, Results
from pipelines.scorecard import gaps, judges, metrics, wording
from pipelines.scorecard.lines import AXES, FRAMEWORKS, Axis, AxisRow, Gap, Line, Path, Scorecard, Side
from pipelines.scorecard.metrics import Metric

WORKING = {"ok", "invalid"}
"""Cells that answer rightly to the end: an invalid one has a load that cannot be believed, and all else."""


def score(results: Results) -> Scorecard:
    """The scorecard of a run. A failed cell is no way to production; of an invalid one, only its valid loads count."""
    models = list(dict.fromkeys(cell.model for cell in results.cells))
    lines: list[Line] = []
    missing: list[Gap] = []
    verdicts = {}
    for model in models:
        tried = [cell for cell in results.cells if cell.model == model and cell.status != "skipped"]
        working = [cell for cell in tried if cell.status in WORKING]
        found = [_reach(model, tried), *_lines(model, working, results)]
        gone = gaps.of(model, working, found)
        verdicts[model] = wording.sentence(model, found, gone)
        lines += found
        missing += gone
    return Scorecard(tuple(_row(axis, lines, missing) for axis in AXES), tuple(lines), verdicts)


def _row(axis: Axis, lines: Sequence[Line], missing: Sequence[Gap]) -> AxisRow:
    shown = [line for line in lines if line.axis == axis and line.headline]
    metrics = dict.fromkeys(line.metric for line in shown)
    return AxisRow(
        axis,
        tuple(tuple(line for line in shown if line.metric == metric) for metric in metrics),
        tuple(gap for gap in missing if gap.axis == axis),
    )


def _lines(model: str, working: Sequence[Cell], results: Results) -> list[Line]:
    asked = [*metrics.fidelity(float(results.experiment["tolerance"])), *metrics.footprint(working)]
    for workload in dict.fromkeys(load.workload for cell in working for load in cell.loads):
        asked += _speed(workload, working, results.comparisons)
    asked += _capacity(working)
    lines = [_line(metric, model, working) for metric in asked]
    return [line for line in lines if line.torch.paths or line.tensorflow.paths]


def _reach(model: str, tried: Sequence[Cell]) -> Line:
    sides = {}
    for framework in FRAMEWORKS:
        of = [cell for cell in tried if cell.framework == framework]
        works = tuple(Path(cell.id, _label(cell, tried), 1.0) for cell in of if cell.status in WORKING)
        sides[framework] = Side(works, len(of))
    torch, tensorflow = sides["torch"], sides["tensorflow"]
    a, b = len(torch.paths), len(tensorflow.paths)
    evidence = f"{a} of {torch.tried} tried paths work from PyTorch, {b} of {tensorflow.tried} from TensorFlow"
    compared = torch.tried and tensorflow.tried
    leader = None if a == b or not compared else "torch" if a > b else "tensorflow"
    factor = max(a, b) / min(a, b) if leader and min(a, b) else None
    return Line("reach", "export paths that work", "", True, model, None, torch, tensorflow, leader, factor, evidence)


def _speed(workload: str, cells: Sequence[Cell], comparisons: Sequence[Comparison]) -> list[Metric]:
    """A closed workload shows requests/s, an open one shows latency; CPU per request is a figure of both."""
    loads = {cell.id: load for cell in cells for load in cell.loads if load.workload == workload and load.valid}

    def metric(field: str, name: str, unit: str, of: Callable[[Load], float | None]) -> Metric:
        def figure(cell: Cell) -> float | None:
            return of(loads[cell.id]) if cell.id in loads else None

        judge = judges.by_blocks(workload, field, comparisons)
        throughput = field == "achieved_rps"
        headline = throughput or field == "latency_ms.p50" or (closed and field == "cpu_ms_per_request")
        return Metric("speed", name, unit, figure, judge, throughput, headline, workload)

    closed = any(load.offered_rps is None for load in loads.values())
    cpu = metric("cpu_ms_per_request", "CPU per request", "ms", lambda load: load.cpu_ms_per_request)
    if closed:
        return [metric("achieved_rps", "throughput", "requests/s", lambda load: load.achieved_rps), cpu]
    latencies = [
        metric(f"latency_ms.{name}", f"latency {name}", "ms", _percentile(name)) for name in Percentiles.model_fields
    ]
    return [*latencies, cpu]


def _capacity(cells: Sequence[Cell]) -> list[Metric]:
    """What a server sustains within the bound that its users set: named by that bound."""
    judge = judges.by_capacity(cells)

    def figure(cell: Cell) -> float | None:
        return (cell.capacity.rps or cell.capacity.at_least_rps) if cell.capacity else None

    def at_least(cell: Cell) -> bool:
        return bool(cell.capacity and cell.capacity.rps is None)

    slos = dict.fromkeys(cell.capacity.slo for cell in cells if cell.capacity)
    return [Metric("speed", "capacity", "requests/s", figure, judge, True, True, slo, at_least) for slo in slos]


def _percentile(name: str) -> Callable[[Load], float | None]:
    def figure(load: Load) -> float | None:
        value: float | None = getattr(load.latency_ms, name)
        return value

    return figure


def _line(metric: Metric, model: str, cells: Sequence[Cell]) -> Line:
    sides = {}
    for framework in FRAMEWORKS:
        of = ((cell, metric.figure(cell)) for cell in cells if cell.framework == framework)
        paths = [
            Path(cell.id, _label(cell, cells), value, metric.at_least(cell)) for cell, value in of if value is not None
        ]
        sides[framework] = Side(
            tuple(sorted(paths, key=lambda path: path.value, reverse=metric.higher_is_better)), len(paths)
        )
    torch, tensorflow = sides["torch"], sides["tensorflow"]
    judged = judges.Judgement(None, None, "only one framework has a figure")
    if torch.best and tensorflow.best:
        judged = metric.judge(torch.best, tensorflow.best, metric.higher_is_better)
    return Line(
        metric.axis,
        metric.name,
        metric.unit,
        metric.headline,
        model,
        metric.workload,
        torch,
        tensorflow,
        judged.leader,
        judged.factor,
        judged.evidence,
    )


def _label(cell: Cell, among: Sequence[Cell]) -> str:
    """The format, with what tells the cell from others of the same format."""
    same = [c for c in among if (c.model, c.framework, c.format) == (cell.model, cell.framework, cell.format)]
    extra = [
        getattr(cell, field)
        for field in ("variant", "server", "protocol")
        if len({getattr(c, field) for c in same}) > 1
    ]
    return " ".join([cell.format, *extra])
