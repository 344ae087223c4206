"""What all plots share: a title with a note, a plotly figure as plain data, and our quiet template. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Figure = dict[str, Any]
"""`{"data": [...], "layout": {...}}`, as plotly's JavaScript takes it."""

INK, QUIET, LINE = "#212529", "#6c757d", "#dee2e6"
FADED = 0.35
"""Opacity of what did not pass its gates."""
_AXIS = {
    "gridcolor": "#eceff2",
    "linecolor": "#adb5bd",
    "showline": True,
    "zeroline": False,
    "automargin": True,
    "ticks": "outside",
    "ticklen": 3,
    "tickcolor": "#adb5bd",
    "title": {"standoff": 6, "font": {"size": 12}},
}
TEMPLATE: Figure = {
    "layout": {
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": INK},
        "paper_bgcolor": "#fff",
        "plot_bgcolor": "#fff",
        "margin": {"l": 52, "r": 14, "t": 8, "b": 36},
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom", "font": {"size": 11}},
        "hovermode": "closest",
        "hoverlabel": {"font": {"family": "system-ui, sans-serif", "size": 12}, "align": "left"},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
}
"""Given to every figure on the page, once."""


@dataclass(frozen=True)
class Plot:
    title: str
    note: str
    figure: Figure


def plot(title: str, note: str, data: list[Figure], height: int = 320, **layout: Any) -> Plot:
    """A plot of `data`, `height` pixels high."""
    return Plot(title, note, {"data": data, "layout": {"height": height, **layout}})


def axis(title: str, **fields: Any) -> Figure:
    """An axis with its title, which names the unit."""
    return {"title": {"text": title}, **fields}


def log_axis(title: str, data: Iterable[Figure], along: str = "y", most: int = 8, **fields: Any) -> Figure:
    """A log axis for the data's `along`, ticks at 1, 2 and 5 of its decades, at 1 only where these are above `most`."""
    values = extent(data, along)
    lowest, highest = math.floor(math.log10(min(values))) - 1, math.ceil(math.log10(max(values))) + 1
    steps = [(digit, float(f"{digit}e{decade}")) for decade in range(lowest, highest + 1) for digit in (1, 2, 5)]
    within = [(digit, tick) for digit, tick in steps if 0.8 * min(values) <= tick <= 1.25 * max(values)]
    ticks = [tick for digit, tick in within if digit == 1 or len(within) <= most]
    return axis(title, type="log", tickvals=ticks, ticktext=[f"{tick:,g}" for tick in ticks], **fields)


def log_range(data: Iterable[Figure], along: str = "y") -> list[float]:
    """The range of a log axis, in decades, that shows all of it with a margin."""
    values = extent(data, along)
    lowest, highest = math.log10(min(values)), math.log10(max(values))
    margin = max(0.05, 0.06 * (highest - lowest))
    return [lowest - margin, highest + margin]


def extent(data: Iterable[Figure], along: str) -> list[float]:
    """What a log axis has to show of the data: all values above 0, and the upper ends of their whiskers; else 1."""
    found: list[float] = []
    for trace in data:
        whiskers = trace.get(f"error_{along}", {}).get("array") or [None for _ in trace[along]]
        for value, up in zip(trace[along], whiskers, strict=True):
            found += [] if value is None else [value, value + (up or 0.0)]
    return [value for value in found if value > 0] or [1.0]


def label(text: str, **fields: Any) -> Figure:
    """A piece of text in the figure, without an arrow."""
    return {"text": text, "showarrow": False, "font": {"size": 11, "color": QUIET}, **fields}
