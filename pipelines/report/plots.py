"""The report's interactive plots: latency, throughput, size and memory, start, one set a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pipelines.report.view import View
from pipelines.results import Cell, Load

COLORS = {"torch": "#d9480f", "tensorflow": "#1864ab"}
"""Dark enough for text and lines on white, and told apart by readers who do not see red and green alike."""


@dataclass(frozen=True)
class Plot:
    title: str
    html: str
    note: str


def plots(view: View) -> dict[str, list[Plot]]:
    """By model: HTML fragments that need plotly's library on the page."""
    return {model: _of_model([row.cell for row in view.cells[model]]) for model in view.models}


def _of_model(cells: Sequence[Cell]) -> list[Plot]:
    found = []
    for workload in dict.fromkeys(load.workload for cell in cells for load in cell.loads):
        loads = [(cell, load) for cell in cells for load in cell.loads if load.workload == workload]
        found.append(_spectrum(workload, loads))
        if all(load.offered_rps is None for _, load in loads):
            found.append(_throughput(workload, loads))
    deployed = [cell for cell in cells if cell.deploy]
    if deployed:
        found += [_sizes(deployed), _memory_and_start(deployed)]
    return found


def _spectrum(workload: str, loads: Sequence[tuple[Cell, Load]]) -> Plot:
    import plotly.graph_objects as go

    figure = go.Figure()
    for (cell, load), dash in zip(loads, _dashes([cell for cell, _ in loads]), strict=True):
        ticks = [f"p{percentile:g}" for percentile, _ in load.spectrum_ms]
        figure.add_scatter(
            x=ticks,
            y=[value for _, value in load.spectrum_ms],
            name=_name(cell),
            mode="lines+markers",
            line={"color": COLORS[cell.framework], "dash": dash},
            hovertemplate="%{x}: %{y:.3g} ms<extra>" + _name(cell) + "</extra>",
        )
    figure.update_yaxes(title="latency, ms (log)", type="log", tickformat="~g")
    note = "How long requests waited, from their intended instant; a curve ends where there were too few requests."
    return Plot(f"Latency, {workload}", _fragment(figure), note)


def _throughput(workload: str, loads: Sequence[tuple[Cell, Load]]) -> Plot:
    import plotly.graph_objects as go

    figure = go.Figure()
    for cell, load in loads:
        blocks = [block.achieved_rps for block in load.blocks]
        figure.add_bar(
            x=[_name(cell)],
            y=[load.achieved_rps],
            marker={"color": COLORS[cell.framework]},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [max(blocks) - load.achieved_rps],
                "arrayminus": [load.achieved_rps - min(blocks)],
            },
            showlegend=False,
            hovertemplate="%{y:.4g} requests/s<extra>%{x}</extra>",
        )
    figure.update_yaxes(title="requests/s")
    note = "All blocks pooled; the whiskers are the slowest and the fastest block."
    return Plot(f"Throughput, {workload}", _fragment(figure), note)


def _sizes(cells: Sequence[Cell]) -> Plot:
    import plotly.graph_objects as go

    names = [_name(cell) for cell in cells]
    base = [_mb(cell.deploy.image_base_bytes if cell.deploy else None) for cell in cells]
    total = [_mb(cell.deploy.image_bytes if cell.deploy else None) for cell in cells]
    figure = go.Figure()
    parts = (
        ("base image", base, "#adb5bd"),
        ("runtime and server", [all_ - part for all_, part in zip(total, base, strict=True)], "#5c7cfa"),
        ("artifact", [_mb(cell.export.bytes if cell.export else None) for cell in cells], "#f08c00"),
    )
    for name, values, color in parts:
        if any(values):
            hover = "%{y:.4g} MB<extra>" + name + "</extra>"
            figure.add_bar(x=names, y=values, name=name, marker={"color": color}, hovertemplate=hover)
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title="MB")
    return Plot(
        "Size of a deployment", _fragment(figure), "What has to be shipped: the image's parts and the artifact."
    )


def _memory_and_start(cells: Sequence[Cell]) -> Plot:
    import plotly.graph_objects as go

    figure = go.Figure()
    symbols = ("circle", "diamond", "square", "triangle-up", "cross")
    for cell, nth in zip(cells, _nth_of_framework(cells), strict=True):
        assert cell.deploy is not None
        starts = cell.deploy.cold_start_s
        figure.add_scatter(
            x=[median(starts)],
            y=[_mb(cell.deploy.memory_peak_bytes or cell.deploy.memory_idle_bytes)],
            name=_name(cell),
            mode="markers",
            marker={"size": 12, "color": COLORS[cell.framework], "symbol": symbols[nth % len(symbols)]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [max(starts) - median(starts)],
                "arrayminus": [median(starts) - min(starts)],
            },
            cliponaxis=False,
            hovertemplate="starts in %{x:.3g} s<br>%{y:.4g} MB at peak<extra>" + _name(cell) + "</extra>",
        )
    figure.update_xaxes(
        title={"text": "cold start, s (median; whiskers: all starts)", "standoff": 6}, rangemode="tozero"
    )
    figure.update_yaxes(title="peak memory, MB", rangemode="tozero")
    return Plot("Cold start and memory", _fragment(figure), "Lower left is lighter.")


def _name(cell: Cell) -> str:
    return f"{'torch' if cell.framework == 'torch' else 'tf'} {cell.format}"


def _dashes(cells: Sequence[Cell]) -> list[str]:
    """Colour tells the framework, the dash tells its paths apart."""
    styles = ("solid", "dash", "dot", "dashdot", "longdash")
    return [styles[nth % len(styles)] for nth in _nth_of_framework(cells)]


def _nth_of_framework(cells: Sequence[Cell]) -> list[int]:
    return [sum(before.framework == cell.framework for before in cells[:i]) for i, cell in enumerate(cells)]


def _fragment(figure: Any) -> str:
    figure.update_layout(
        template="plotly_white",
        height=340,
        margin={"l": 60, "r": 16, "t": 12, "b": 40},
        font={"family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "y": -0.22},
    )
    config = {"displaylogo": False, "responsive": True}
    html: str = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return html


def _mb(count: int | None) -> float:
    return (count or 0) / 1e6
