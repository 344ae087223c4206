"""How late the generator sent and how busy it was, load by load. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.report.looks import Look
from pipelines.report.panels.figure import FADED, Figure, Plot, axis, log_axis, plot
from pipelines.results import Cell, Gate, Load

ROW = 32
"""Pixels."""
SYMBOLS = {"p50": "circle-open", "p90": "diamond", "p99": "circle"}
LIMIT = {"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": "#c92a2a"}}


def of(loads: Sequence[tuple[Cell, Load]], looks: Mapping[str, Look]) -> tuple[Plot, ...]:
    """Lag, and CPU, each with its gate's limit as a red tick."""
    rows = [(looks[cell.id], load, len(loads) - i) for i, (cell, load) in enumerate(loads)]
    layout: Figure = {
        "height": 66 + ROW * len(rows),
        "yaxis": {
            "tickvals": [y for _, _, y in rows],
            "ticktext": [_name(look, load) for look, load, _ in rows],
            "range": [0.4, len(rows) + 0.6],
            "tickfont": {"size": 11},
        },
    }
    lag = [_lag(look, load, y) for look, load, y in rows]
    cpu = [_cpu(look, load, y) for look, load, y in rows]
    lag_limits = _limits(rows, "lag", 1.0)
    return (
        plot(
            "Lag",
            "How late requests left: p50 ○, p90 ◇, p99 ●; the red tick is the gate's limit for p99.",
            [*lag, *lag_limits],
            xaxis=log_axis("lag, ms", [*lag, *lag_limits], "x"),
            showlegend=False,
            **layout,
        ),
        plot(
            "Generator CPU",
            "The busiest block; the red tick is the gate's limit.",
            [*cpu, *_limits(rows, "generator_cpu", 100.0)],
            xaxis=axis("% of one core", rangemode="tozero"),
            showlegend=False,
            bargap=0.5,
            **layout,
        ),
    )


def _name(look: Look, load: Load) -> str:
    return f"{load.workload}<br>{look.label}{'' if load.valid else ' (invalid)'}"


def _lag(look: Look, load: Load, y: int) -> Figure:
    known = {name: getattr(load.lag_ms, name) for name in SYMBOLS}
    known["p99"] = known["p99"] if known["p99"] is not None else load.generator.lag_p99_ms
    known = {name: value for name, value in known.items() if value is not None and value > 0}
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(known.values()),
        "y": [y for _ in known],
        "text": list(known),
        "opacity": 1 if load.valid else FADED,
        "line": {"color": look.color, "width": 1},
        "marker": {"symbol": [SYMBOLS[name] for name in known], "size": 8, "color": look.color},
        "hovertemplate": f"%{{text}} %{{x:.3g}} ms<extra>{_name(look, load)}</extra>",
    }


def _cpu(look: Look, load: Load, y: int) -> Figure:
    return {
        "type": "bar",
        "orientation": "h",
        "x": [100 * load.generator.cpu_fraction],
        "y": [y],
        "opacity": 1 if load.valid else FADED,
        "marker": {"color": look.color, "pattern": {"shape": "" if load.valid else "/"}},
        "hovertemplate": f"%{{x:.3g}} % of a core<extra>{_name(look, load)}</extra>",
    }


def _limits(rows: Sequence[tuple[Look, Load, int]], gate: str, scale: float) -> list[Figure]:
    found: list[tuple[Gate, int]] = [(one, y) for _, load, y in rows for one in load.gates if one.name == gate]
    if not found:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [scale * one.limit for one, _ in found],
            "y": [y for _, y in found],
            "marker": LIMIT,
            "hovertemplate": "limit %{x:.3g}<extra></extra>",
        }
    ]
