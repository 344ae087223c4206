"""Requests/s of a closed workload, with the slowest and the fastest block. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.report.looks import Look
from pipelines.report.panels.figure import FADED, Figure, Plot, axis, plot
from pipelines.results import Cell, Load


def of(workload: str, loads: Sequence[tuple[Cell, Load]], looks: Mapping[str, Look]) -> Plot:
    data = [_bar(load, looks[cell.id]) for cell, load in loads]
    note = "All blocks pooled; whiskers are the slowest and the fastest block."
    return plot(
        f"Throughput, {workload}",
        note,
        data,
        yaxis=axis("requests/s", rangemode="tozero"),
        showlegend=False,
        bargap=0.45,
    )


def _bar(load: Load, look: Look) -> Figure:
    blocks = [block.achieved_rps for block in load.blocks] or [load.achieved_rps]
    name = look.label if load.valid else f"{look.label}<br>(invalid)"
    return {
        "type": "bar",
        "x": [name],
        "y": [load.achieved_rps],
        "opacity": 1 if load.valid else FADED,
        "marker": {"color": look.color, "pattern": {"shape": "" if load.valid else "/"}},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, max(blocks) - load.achieved_rps)],
            "arrayminus": [max(0.0, load.achieved_rps - min(blocks))],
            "thickness": 1.2,
            "width": 5,
        },
        "hovertemplate": "%{y:.4g} requests/s<extra>%{x}</extra>",
    }
