"""Latency over the window of a block, one strip a cell: a stall stands out in the worst line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.report.looks import Look
from pipelines.report.panels.figure import FADED, INK, Figure, Plot, axis, label, log_axis, log_range, plot
from pipelines.results import Cell, Load

STRIP = 86
"""Pixels."""
GAP = 0.16
"""Between strips, of one strip."""
LINES = (
    ("worst", "worst_ms", {"width": 1, "dash": "dot"}, "lines+markers"),
    ("p90", "p90_ms", {"width": 1.2, "dash": "dash"}, "lines"),
    ("p50", "p50_ms", {"width": 2}, "lines"),
)


def of(workload: str, loads: Sequence[tuple[Cell, Load]], looks: Mapping[str, Look]) -> Plot | None:
    """A strip a cell, the blocks of its load together; None where the results have no instants."""
    shown = [(looks[cell.id], load) for cell, load in loads if load.over_time]
    if not shown:
        return None
    data: list[Figure] = []
    axes: Figure = {"xaxis": axis("seconds into the block", anchor=f"y{len(shown)}" if len(shown) > 1 else "y")}
    titles = []
    for i, (look, load) in enumerate(shown):
        top = 1 - i / len(shown)
        tall = (1 - GAP) / len(shown)
        nth = str(i + 1) if i else ""
        axes[f"yaxis{nth}"] = {"domain": [max(0.0, top - tall), top], **({"matches": "y"} if i else {})}
        name = look.label if load.valid else f"{look.label} (invalid)"
        data += _lines(load, look, name, f"y{nth}", first=i == 0)
        titles.append(
            label(name, xref="paper", x=0.004, yref="paper", y=top + 0.1 * tall, xanchor="left", yanchor="top")
            | {"font": {"size": 11, "color": INK}, "bgcolor": "rgba(255,255,255,0.7)"}
        )
    for name in axes:
        if name.startswith("yaxis"):
            axes[name] |= log_axis("ms", data, most=5, range=log_range(data))
    note = "All blocks laid over each other: p50, p90 and the slowest request of each interval; one scale for all."
    return plot(
        f"Latency over time, {workload}",
        note,
        data,
        height(len(shown)),
        **axes,
        annotations=titles,
    )


def height(strips: int) -> int:
    """Pixels of a plot of so many strips."""
    return max(340, 70 + STRIP * strips)


def _lines(load: Load, look: Look, name: str, yaxis: str, *, first: bool) -> list[Figure]:
    return [
        {
            "type": "scatter",
            "mode": mode,
            "x": [instant.at_s for instant in load.over_time],
            "y": [getattr(instant, field) for instant in load.over_time],
            "customdata": [instant.requests for instant in load.over_time],
            "yaxis": yaxis,
            "name": line,
            "legendgroup": line,
            "showlegend": first,
            "opacity": 1 if load.valid else FADED,
            "line": {"color": look.color, **style},
            "marker": {"size": 4},
            "hovertemplate": f"{line} %{{y:.3g}} ms at %{{x:.3g}} s, %{{customdata}} requests<extra>{name}</extra>",
        }
        for line, field, style, mode in LINES
    ]
