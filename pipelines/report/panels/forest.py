"""Ratios with their 95 % intervals on a log axis; a verdict is a symbol and a sign as well as a colour. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.figures import number
from pipelines.report.panels.figure import FADED, INK, QUIET, Figure, Plot, axis, label, plot
from pipelines.report.tables.ratios import MARKS, METRICS, Ratios, counted, interval, next_step
from pipelines.results import Comparison

EQUIVALENT = 1.025
"""The band in which a 90 % interval has to lie to be called equivalent."""
MARKERS = {
    "different": {"color": "#1b2430", "symbol": "diamond"},
    "equivalent": {"color": "#2b8a3e", "symbol": "square"},
    "inconclusive": {"color": "#868e96", "symbol": "circle-open"},
}
TICKS = (1.02, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 1000)
ROW = 32
"""Pixels."""


@dataclass(frozen=True)
class Entry:
    """One row: what is written beside it, the comparison, and whether its cells passed their gates."""

    label: str
    comparison: Comparison
    valid: bool = True


def of(ratios: Ratios, labels: dict[str, str]) -> tuple[Plot, ...]:
    """One plot a metric, headline metrics first: a row for each pair of cells."""
    found = []
    for metric, some in ratios.by_metric.items():
        better = "→" if metric == "achieved_rps" else "←"
        entries = [
            Entry(f"{labels[one.a]}<br>/ {labels[one.b]}", one, not {one.a, one.b} & ratios.invalid) for one in some
        ]
        found.append(draw(METRICS[metric], f"{counted(some)}. {better} the first is better.", entries))
    return tuple(found)


def draw(title: str, note: str, entries: Sequence[Entry], injected: float | None = None) -> Plot:
    """A row for each entry, from the top; `injected` draws the ratio that is known to be true."""
    ratios = [entry.comparison for entry in entries]
    extent = _extent([*ratios], injected)
    count = len(entries)
    shapes = [_band(), _line(1.0, INK, "solid")]
    if injected is not None:
        shapes.append(_line(injected, "#c92a2a", "dash") | {"layer": "above"})
    return plot(
        title,
        note,
        [_row(entry, count - i) for i, entry in enumerate(entries)],
        58 + ROW * count,
        showlegend=False,
        margin={"l": 40, "r": 62, "t": 4, "b": 36},
        xaxis=axis("ratio (log)", type="log", range=[-extent, extent], **_ticks(extent)),
        yaxis={
            "tickvals": [count - i for i in range(count)],
            "ticktext": [entry.label for entry in entries],
            "range": [0.4, count + 0.6],
            "tickfont": {"size": 11},
            "showgrid": False,
        },
        shapes=shapes,
        annotations=[
            label(
                f"{_short(entry.comparison.ratio)} {MARKS[entry.comparison.verdict]}",
                x=1,
                xref="paper",
                xanchor="left",
                xshift=4,
                y=count - i,
            )
            | {"font": {"size": 12, "color": MARKERS[entry.comparison.verdict]["color"] if entry.valid else QUIET}}
            for i, entry in enumerate(entries)
        ],
    )


def _row(entry: Entry, y: int) -> Figure:
    one = entry.comparison
    low, high = one.ci95 or (one.ratio, one.ratio)
    decide = "" if one.verdict != "inconclusive" else f"<br>{next_step(one)}"
    spoiled = "" if entry.valid else "<br>a load of this pair is invalid"
    p = "" if one.p is None else f", p {number(one.p)} (Holm)"
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [one.ratio],
        "y": [y],
        "opacity": 1 if entry.valid else FADED,
        "marker": {**MARKERS[one.verdict], "size": 9, "line": {"width": 2 * (one.verdict == "inconclusive")}},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - one.ratio],
            "arrayminus": [one.ratio - low],
            "thickness": 1.6,
            "width": 0,
            "color": MARKERS[one.verdict]["color"],
        },
        "hovertemplate": (
            f"{one.verdict}: {one.ratio:.3f}, 95 % {interval(one)}<br>{one.blocks} blocks of each{p}{decide}{spoiled}"
            f"<extra>{entry.label}</extra>"
        ),
    }


def _short(ratio: float) -> str:
    """Three digits, and three decimals near 1, where they matter."""
    return f"{ratio:.3f}" if 0.9 < ratio < 1.1 else number(ratio)


def _extent(ratios: Sequence[Comparison], injected: float | None) -> float:
    """Half the axis in decades: all points, and their intervals as far as three times beyond the point."""
    reach = [math.log10(1.06), abs(math.log10(injected or 1.0)) * 1.1]
    for one in ratios:
        point = abs(math.log10(one.ratio))
        ends = max(abs(math.log10(end)) if end > 0 else math.inf for end in one.ci95) if one.ci95 else 0.0
        reach += [1.1 * point, min(1.1 * ends, point + math.log10(3))]
    return max(reach)


def _ticks(extent: float) -> Figure:
    """Two round ratios on each side of 1: the largest that fits, and the one closest to halfway."""
    within = [tick for tick in TICKS if math.log10(tick) <= extent]
    halfway = math.sqrt(within[-1])
    inner = min(within, key=lambda tick: abs(math.log(tick / halfway)))
    values = sorted({1 / within[-1], 1 / inner, 1.0, inner, within[-1]})
    texts = [f"{value:.2g}" if value < 1 else f"{value:g}" for value in values]
    return {"tickangle": 0, "tickvals": values, "ticktext": texts}


def _band() -> Figure:
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": 1 / EQUIVALENT,
        "x1": EQUIVALENT,
        "y0": 0,
        "y1": 1,
        "fillcolor": "#d3f9d8",
        "opacity": 0.7,
        "line": {"width": 0},
        "layer": "below",
    }


def _line(at: float, color: str, dash: str) -> Figure:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "line": {"width": 1, "color": color, "dash": dash},
        "layer": "below",
    }
