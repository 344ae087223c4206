"""Latency and goodput against the offered rate, with the SLO and the capacity that was found. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

from pipelines.figures import number
from pipelines.report.looks import Look
from pipelines.report.panels.figure import FADED, QUIET, Figure, Plot, axis, label, log_axis, plot
from pipelines.results import Capacity, Cell, Trial

BOUND = re.compile(r"(p50|p90|p99) ≤ ([\d.,]+) ms")
"""A bound in the words of `Capacity.slo`."""
RED = "#c92a2a"
LINES = (
    ("p50", {"width": 2, "dash": "solid"}),
    ("p90", {"width": 1.5, "dash": "dash"}),
    ("p99", {"width": 1.5, "dash": "dot"}),
)
MARKS = "Open marks broke the SLO; faded crosses are invalid, and no line joins them."


def of(cells: Sequence[Cell], looks: Mapping[str, Look]) -> tuple[Plot, ...]:
    """All cells in one plot where there are several, then each for itself."""
    searched = [(looks[cell.id], cell.capacity) for cell in cells if cell.capacity and shown(cell.capacity)]
    together = (_together(searched),) if len(searched) > 1 else ()
    return (*together, *(_alone(look, capacity) for look, capacity in searched))


def shown(capacity: Capacity) -> tuple[Trial, ...]:
    """The curve, by rate; without one the search's own trials."""
    return tuple(sorted(capacity.curve or capacity.trials, key=lambda trial: trial.rate_rps))


def bounds(slo: str) -> dict[str, float]:
    """Percentile to milliseconds, as the SLO's words have them."""
    return {name: float(limit.replace(",", "")) for name, limit in BOUND.findall(slo)}


def _together(searched: Sequence[tuple[Look, Capacity]]) -> Plot:
    limits = bounds(searched[0][1].slo)
    name = max(limits, default="p99")
    data = []
    for look, capacity in searched:
        trials = shown(capacity)
        line, *crosses = _latency(trials, name, {"width": 2, "dash": look.dash}, look)
        data += [{**line, "name": look.label}, *crosses]
        if capacity.rps is not None:
            data.append(_marked(capacity, look, limits.get(name)))
    shapes, notes = _slo({name: limits[name]} if name in limits else {})
    return plot(
        f"{name} against the offered rate",
        f"All cells. Marks on the SLO's line: the capacity found, with its 95 % interval. {MARKS}",
        data,
        360,
        xaxis=axis("offered, requests/s", rangemode="tozero"),
        yaxis=log_axis(f"{name} latency, ms", data),
        shapes=shapes,
        annotations=notes,
    )


def _marked(capacity: Capacity, look: Look, at_ms: float | None) -> Figure:
    assert capacity.rps is not None
    low, high = capacity.ci95 or (capacity.rps, capacity.rps)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [capacity.rps],
        "y": [at_ms],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - capacity.rps],
            "arrayminus": [capacity.rps - low],
        },
        "marker": {"color": look.color, "symbol": look.symbol, "size": 9},
        "showlegend": False,
        "hovertemplate": f"capacity {_figures(capacity)}<extra>{look.label}</extra>",
    }


def _alone(look: Look, capacity: Capacity) -> Plot:
    trials = shown(capacity)
    latencies = [trace for name, style in LINES for trace in _latency(trials, name, style, look)]
    shapes, notes = _slo(bounds(capacity.slo))
    if capacity.rps is not None:
        shapes += _found(capacity.rps, capacity.ci95)
        notes.append(
            label(number(capacity.rps), x=capacity.rps, y=1, yref="paper", yanchor="top", xanchor="right", xshift=-2)
            | {"font": {"size": 12, "color": "#1b2430"}}
        )
    said = f"Capacity {_figures(capacity)}." if capacity.rps is not None else f"No capacity: {capacity.reason}."
    return plot(
        f"Saturation, {look.label}",
        f"{said} {capacity.distribution.capitalize()} arrivals. {MARKS}",
        [*latencies, *_goodput(trials, look), _offered(trials)],
        380,
        xaxis=axis("offered, requests/s", rangemode="tozero", anchor="y2"),
        yaxis={**log_axis("latency, ms", latencies, most=6), "domain": [0.4, 1]},
        yaxis2=axis("goodput, 1/s", rangemode="tozero", domain=[0, 0.32], nticks=4),
        shapes=shapes,
        annotations=notes,
    )


def _figures(capacity: Capacity) -> str:
    within = f" [{number(capacity.ci95[0])}, {number(capacity.ci95[1])}]" if capacity.ci95 else ""
    return f"{number(capacity.rps)}{within} requests/s"


def _latency(trials: Sequence[Trial], name: str, style: Figure, look: Look) -> list[Figure]:
    line: Figure = {
        "name": name,
        "line": {"color": look.color, **style},
        "hovertemplate": f"{name} %{{y:.3g}} ms at %{{x:.4g}} requests/s<extra>{look.label}</extra>",
    }
    return _joined(trials, lambda trial: getattr(trial.latency_ms, name), line, {"size": 6, "color": look.color})


def _goodput(trials: Sequence[Trial], look: Look) -> list[Figure]:
    line: Figure = {
        "yaxis": "y2",
        "name": "goodput",
        "showlegend": False,
        "line": {"color": look.color, "width": 1.5},
        "hovertemplate": f"goodput %{{y:.4g}} of %{{x:.4g}} requests/s<extra>{look.label}</extra>",
    }
    return _joined(trials, lambda trial: trial.goodput_rps, line, {"size": 5, "color": look.color})


def _joined(
    trials: Sequence[Trial], figure: Callable[[Trial], float | None], line: Figure, marker: Figure
) -> list[Figure]:
    """A line through the trials that count, and the invalid ones, if any, as faded crosses beside it."""

    def trace(some: Sequence[Trial], symbols: list[str]) -> Figure:
        points: Figure = {"x": [trial.rate_rps for trial in some], "y": [figure(trial) for trial in some]}
        return {"type": "scatter", **line, **points, "marker": {**marker, "symbol": symbols}}

    counting = [trial for trial in trials if trial.valid]
    spoiled = [trial for trial in trials if not trial.valid]
    joined = trace(counting, ["circle" if trial.held else "circle-open" for trial in counting])
    crosses = trace(spoiled, ["x" for _ in spoiled]) | {"mode": "markers", "opacity": FADED, "showlegend": False}
    return [joined | {"mode": "lines+markers"}, *([crosses] if spoiled else [])]


def _offered(trials: Sequence[Trial]) -> Figure:
    """The diagonal: goodput leaves it where answers begin to be late or wrong."""
    highest = max(trial.rate_rps for trial in trials)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [0, highest],
        "y": [0, highest],
        "yaxis": "y2",
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"color": "#adb5bd", "width": 1, "dash": "dot"},
    }


def _slo(limits: Mapping[str, float]) -> tuple[list[Figure], list[Figure]]:
    """Lines and their words. Annotations on a log axis are placed by the exponent, shapes by the value."""
    shapes, notes = [], []
    for name, limit in limits.items():
        at = {"xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": limit, "y1": limit}
        shapes.append({"type": "line", **at, "line": {"color": RED, "width": 1.2, "dash": "dash"}})
        words = f"SLO {name} ≤ {limit:g} ms"
        place = {
            "x": 0.01,
            "xref": "paper",
            "xanchor": "left",
            "y": math.log10(limit),
            "yref": "y",
            "yanchor": "bottom",
        }
        notes.append(label(words, **place) | {"font": {"size": 11, "color": RED}})
    return shapes, notes


def _found(rps: float, ci95: tuple[float, float] | None) -> list[Figure]:
    whole = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    shapes = [{"type": "line", **whole, "x0": rps, "x1": rps, "line": {"color": QUIET, "width": 1.2}}]
    if ci95:
        band = {"x0": ci95[0], "x1": ci95[1], "fillcolor": "#adb5bd", "opacity": FADED, "line": {"width": 0}}
        shapes.append({"type": "rect", **whole, **band})
    return shapes
