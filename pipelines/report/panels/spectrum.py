"""Latency by percentile, spaced like an HdrHistogram's: equal steps for 90, 99, 99.9 %. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pipelines.report.looks import Look
from pipelines.report.panels.figure import FADED, Figure, Plot, axis, log_axis, plot
from pipelines.report.tables.loads import QUANTILES
from pipelines.results import Cell, Load

TICKS = (0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999)


def of(workload: str, loads: Sequence[tuple[Cell, Load]], looks: Mapping[str, Look], height: int) -> Plot:
    """One curve a cell, with the upper confidence bounds of its p50, p90 and p99 as whiskers."""
    data = [trace for cell, load in loads for trace in _traces(load, looks[cell.id])]
    note = "From the intended instant; whiskers: 99 % upper bounds; a curve ends where requests were too few."
    return plot(
        f"Latency spectrum, {workload}",
        note,
        data,
        height,
        xaxis=percentile_axis(data),
        yaxis=log_axis("latency, ms", data),
    )


def percentile_axis(data: Sequence[Figure]) -> Figure:
    """Of curves: from their lowest percentile to a little beyond their highest."""
    values = [value for trace in data for value in trace["x"]] or [2.0]
    return axis(
        "percentile",
        type="log",
        range=[math.log10(min(values)) - 0.04, math.log10(max(values)) + 0.08],
        tickvals=[spaced(tick) for tick in TICKS],
        ticktext=[f"p{tick:g}" for tick in TICKS],
    )


def spaced(percentile: float) -> float:
    """1 / (1 - p): on a log axis the distance of a percentile from 100 counts."""
    return 1 / (1 - percentile / 100)


def curve(points: Sequence[tuple[float, float]], name: str, look: Look, unit: str) -> Figure:
    """A spectrum's line: (percentile, figure)."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [spaced(percentile) for percentile, _ in points],
        "y": [value for _, value in points],
        "customdata": [percentile for percentile, _ in points],
        "name": name,
        "legendgroup": name,
        "line": {"color": look.color, "dash": look.dash, "width": 2},
        "hovertemplate": f"p%{{customdata}}: %{{y:.3g}} {unit}<extra>{name}</extra>",
    }


def _traces(load: Load, look: Look) -> list[Figure]:
    name = look.label if load.valid else f"{look.label} (invalid)"
    bounded = [
        (100 * quantile, value, getattr(load.latency_upper_ms, field))
        for field, quantile in QUANTILES.items()
        if (value := getattr(load.latency_ms, field)) is not None
    ]
    bounds: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": [spaced(percentile) for percentile, _, _ in bounded],
        "y": [value for _, value, _ in bounded],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [None if upper is None else upper - value for _, value, upper in bounded],
            "arrayminus": [0 for _ in bounded],
            "thickness": 1.2,
            "width": 4,
        },
        "text": ["" if upper is None else f" (≤ {upper:.3g})" for _, _, upper in bounded],
        "customdata": [round(percentile) for percentile, _, _ in bounded],
        "name": name,
        "legendgroup": name,
        "showlegend": False,
        "marker": {"color": look.color, "symbol": look.symbol if load.valid else f"{look.symbol}-open", "size": 7},
        "hovertemplate": f"p%{{customdata}}: %{{y:.3g}} ms%{{text}}<extra>{name}</extra>",
    }
    traces = [curve(load.spectrum_ms, name, look, "ms"), bounds]
    return traces if load.valid else [{**trace, "opacity": FADED} for trace in traces]
