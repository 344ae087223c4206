"""How late the generator sent and how busy it was, load by load. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.report.looks import Look
from pipelines.report.panels.figure import FADED, Figure, Plot, axis, log_axis, plot
from pipelines.report.tables.conditions import lag_gate
from pipelines.results import Cell, Gate, Load

ROW = 32
"""Pixels."""
SYMBOLS = ("circle-open", "diamond", "circle")
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
            "How late requests left: p50 ○, p90 ◇, ● what the gate judged (red tick: its limit), which is the p99, or, "
            "where hovering says so, its rank among too few requests, or one block's.",
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
    gate = lag_gate(load)
    judged = gate.value if gate else load.generator.lag_p99_ms
    said = ("p50 %{x:.3g} ms", "p90 %{x:.3g} ms", f"judged: %{{x:.3g}} {gate.unit if gate else 'ms at p99'}")
    points = zip((load.lag_ms.p50, load.lag_ms.p90, judged), SYMBOLS, said, strict=True)
    known = [(value, symbol, text) for value, symbol, text in points if value is not None and value > 0]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [value for value, _, _ in known],
        "y": [y for _ in known],
        "opacity": 1 if load.valid else FADED,
        "line": {"color": look.color, "width": 1},
        "marker": {"symbol": [symbol for _, symbol, _ in known], "size": 8, "color": look.color},
        "hovertemplate": [f"{text}<extra>{_name(look, load)}</extra>" for _, _, text in known],
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
