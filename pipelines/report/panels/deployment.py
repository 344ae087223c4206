"""What has to be shipped, and what it takes to start: sizes, memory, cold start. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from pipelines.report.looks import Look
from pipelines.report.panels.figure import Figure, Plot, axis, plot
from pipelines.results import Cell, Deploy


def of(cells: Sequence[Cell], looks: Mapping[str, Look]) -> tuple[Plot, ...]:
    """Nothing without a cell that was deployed."""
    deployed = [(cell, cell.deploy, looks[cell.id]) for cell in cells if cell.deploy]
    return (_sizes(deployed), _memory_and_start(deployed)) if deployed else ()


def _sizes(cells: Sequence[tuple[Cell, Deploy, Look]]) -> Plot:
    base = [_mb(deploy.image_base_bytes) for _, deploy, _ in cells]
    total = [_mb(deploy.image_bytes) for _, deploy, _ in cells]
    parts = (
        ("base image", base, "#dee2e6"),
        ("runtime and server", [all_ - part for all_, part in zip(total, base, strict=True)], "#868e96"),
        ("artifact", [_mb(cell.export.bytes if cell.export else None) for cell, _, _ in cells], "#5f3dc4"),
    )
    data: list[Figure] = [
        {
            "type": "bar",
            "x": [look.label for _, _, look in cells],
            "y": values,
            "name": name,
            "marker": {"color": color},
            "hovertemplate": "%{y:.4g} MB<extra>" + name + "</extra>",
        }
        for name, values, color in parts
        if any(values)
    ]
    note = "What has to be shipped: the image's or environment's parts, and the artifact."
    return plot("Size of a deployment", note, data, barmode="stack", bargap=0.45, yaxis=axis("MB"))


def _memory_and_start(cells: Sequence[tuple[Cell, Deploy, Look]]) -> Plot:
    data: list[Figure] = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [median(deploy.cold_start_s)],
            "y": [_mb(deploy.memory_peak_bytes or deploy.memory_idle_bytes)],
            "name": look.label,
            "marker": {"size": 11, "color": look.color, "symbol": look.symbol},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [max(deploy.cold_start_s) - median(deploy.cold_start_s)],
                "arrayminus": [median(deploy.cold_start_s) - min(deploy.cold_start_s)],
                "thickness": 1.2,
                "width": 4,
            },
            "cliponaxis": False,
            "hovertemplate": f"starts in %{{x:.3g}} s<br>%{{y:.4g}} MB at peak<extra>{look.label}</extra>",
        }
        for _, deploy, look in cells
    ]
    return plot(
        "Cold start and memory",
        "Lower left is lighter. Median start; whiskers are all starts.",
        data,
        xaxis=axis("cold start, s", rangemode="tozero"),
        yaxis=axis("peak memory, MB", rangemode="tozero"),
    )


def _mb(count: int | None) -> float:
    return (count or 0) / 1e6
