"""What a calibration showed: lag of the generator, what can be told apart in what time, and its two trials. Pure."""

from __future__ import annotations

from pipelines.report.looks import OTHERS, Look
from pipelines.report.panels import forest, spectrum
from pipelines.report.panels.figure import Figure, Plot, axis, log_axis, plot
from pipelines.report.tables.ratios import METRICS, counted
from pipelines.results import Comparison, Trust

LOOK = Look("generator", OTHERS[0], "solid", "circle")


def of(trust: Trust) -> tuple[Plot, ...]:
    found = []
    for title, some, injected in (("A/A", trust.aa, None), ("A/+5 %", trust.a5, 1 / trust.a5_injected)):
        if some:
            known = "" if injected is None else f" Red: {injected:.3f}, the ratio of CPU per request that was injected."
            found.append(forest.draw(f"Trial {title}", f"{counted(some)}.{known}", _entries(some), injected))
    if trust.lag_spectrum_ms:
        found.append(_lag(trust))
    if trust.resolvable:
        found.append(_resolvable(trust))
    return tuple(found)


def _entries(some: tuple[Comparison, ...]) -> list[forest.Entry]:
    """By metric; several trials of one metric are rows of their own."""
    ordered = [one for metric in METRICS for one in some if one.metric == metric]
    return [forest.Entry(METRICS[one.metric], one) for one in ordered]


def _lag(trust: Trust) -> Plot:
    line = spectrum.curve(trust.lag_spectrum_ms, "lag", LOOK, "ms") | {"mode": "lines+markers"}
    return plot(
        "Lag of the generator",
        "At 500 requests/s open, against the null server.",
        [line],
        240,
        showlegend=False,
        xaxis=spectrum.percentile_axis([line]),
        yaxis=log_axis("ms", [line]),
    )


def _resolvable(trust: Trust) -> Plot:
    line: Figure = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [seconds for seconds, _ in trust.resolvable],
        "y": [100 * (ratio - 1) for _, ratio in trust.resolvable],
        "line": {"color": LOOK.color, "width": 2},
        "hovertemplate": "%{y:.2g} % after %{x:.3g} s<extra></extra>",
    }
    return plot(
        "What can be told apart, and when",
        "The smallest difference of CPU per request between two cells that so much measuring would show, "
        f"in blocks of {trust.block_s:g} s.",
        [line],
        240,
        showlegend=False,
        xaxis=log_axis("s of measuring", [line], "x"),
        yaxis=axis("difference, %", rangemode="tozero"),
    )
