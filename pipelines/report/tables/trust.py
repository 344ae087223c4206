"""What this machine was seen to measure: the facts of a calibration, and its trials. Pure."""

from __future__ import annotations

from pipelines.figures import duration, number
from pipelines.report.tables import Table
from pipelines.report.tables.ratios import counted, table
from pipelines.report.tables.settings import Facts
from pipelines.results import Comparison, Trust

HOW = "deploy-compare doctor --measure"
"""What makes a calibration."""


def facts(trust: Trust) -> Facts:
    ended = ", ".join(f"{_percent(ratio)} in {duration(seconds)}" for seconds, ratio in trust.resolvable)
    return (
        ("measured", f"{trust.measured_at}, on {trust.machine}, in {duration(trust.seconds)}"),
        ("ceiling of one generator", f"{number(trust.ceiling_rps)} requests/s against the null server"),
        ("its CPU per request", f"{number(trust.generator_cpu_us_per_request)} µs at 500 requests/s open"),
        ("its lag", ", ".join(f"p{p:g} {number(ms)} ms" for p, ms in trust.lag_spectrum_ms) or "–"),
        ("a server against itself", f"{counted(trust.aa) or '–'} (none should be different twice)"),
        (f"against itself with {_percent(trust.a5_injected)} more CPU per request", counted(trust.a5) or "–"),
        (f"smallest difference of CPU per request told, blocks of {number(trust.block_s)} s", ended or "–"),
    )


def trials(trust: Trust) -> tuple[tuple[str, Table], ...]:
    """Title and comparisons of the two trials, A/A and A/+5 %."""
    pairs = ((f"A/A over {_blocks(trust.aa)}", trust.aa), (f"A/+5 % over {_blocks(trust.a5)}", trust.a5))
    return tuple((title, _table(some)) for title, some in pairs if some)


def _table(some: tuple[Comparison, ...]) -> Table:
    nameless = {name: "" for one in some for name in (one.a, one.b)}
    return table(
        {metric: [one for one in some if one.metric == metric] for metric in {one.metric: 0 for one in some}}, nameless
    )


def _blocks(some: tuple[Comparison, ...]) -> str:
    counts = sorted({one.blocks for one in some})
    return f"{'–'.join(map(str, counts[:1] + counts[1:][-1:]))} blocks of each"


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):.2g} %"
