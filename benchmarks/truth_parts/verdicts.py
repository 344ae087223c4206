"""A server against itself, and against itself with 5 % more CPU per request: how often the verdict is right."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from benchmarks.errors import LoadFailed
from benchmarks.truth_parts.row import Row
from benchmarks.truth_parts.stand import Stand
from pipelines import burner, calibrate
from pipelines.results import Comparison

RATE_RPS = 500.0
BURN_S = 0.0005
"""With what a request costs besides, 500/s keep half a core busy: where a neighbour slows it, no queue forms."""
MORE = 0.05
MISTAKES = 0.05
"""Of the trials with the same server, the most that may be called different."""
FOUND = 0.85
"""Of the trials with another server, the fewest that must be called so."""
SPOILED = 0.10
"""Of the trials, the most that may end without comparisons and are made up for."""
HEADLINES = (calibrate.CPU, "latency_ms.p50")
BASE, OTHER = "base", "other"


@dataclass(frozen=True)
class Trials:
    """How they are measured."""

    trials: int
    budget_s: float
    block_s: float


def same(stand: Stand, asked: Trials) -> Iterator[Row]:
    """Two processes of one server, fresh ones in each trial."""
    found = _trials(stand, asked, "itself", *[burner.iterations_for(BURN_S)] * 2)
    wrong = sum(_different(trial["comparisons"]) for trial in found)
    allowed = math.floor(MISTAKES * asked.trials)
    yield Row(
        f"a server against itself, {RATE_RPS:g}/s, {asked.trials} trials",
        f"at most {allowed} *different*, on any metric",
        f"{wrong} *different*{_tally(found)}",
        wrong <= allowed and judged(found) == asked.trials,
        {"trials": found, "block_s": asked.block_s},
    )


def slower(stand: Stand, asked: Trials) -> Iterator[Row]:
    """The same, but one of them burns so much more that a request costs 5 % more CPU in all."""
    iterations = burner.iterations_for(BURN_S)
    more, injected = _costlier(stand, asked, iterations)
    found = _trials(stand, asked, "5 % more", iterations, more)
    right = sum(_slower(trial["comparisons"]) for trial in found)
    needed = math.ceil(FOUND * asked.trials)
    yield Row(
        f"a server against itself with {MORE:.0%} more CPU per request, {RATE_RPS:g}/s, {asked.trials} trials",
        f"at least {needed} *different* the right way on CPU per request or p50",
        f"{right} *different* the right way, {injected:.3f} injected{_tally(found)}",
        right >= needed and judged(found) == asked.trials,
        {"trials": found, "block_s": asked.block_s, "injected": injected},
    )


def _trials(stand: Stand, asked: Trials, doing: str, base: int, other: int) -> list[dict[str, Any]]:
    """Of each its comparisons, other to base; `seconds` is all it took, `measured_s` its blocks.

    One that stayed spoiled is no trial: as many more are measured, `SPOILED` of those asked for at most.
    """
    found: list[dict[str, Any]] = []
    iterations = {OTHER: other, BASE: base}
    for number in range(asked.trials + math.floor(SPOILED * asked.trials)):
        if judged(found) == asked.trials:
            break
        stand.say(f"against {doing}: trial {number + 1} of {asked.trials}")
        begun = time.perf_counter()
        with ExitStack() as servers:
            started, listed = places(number)
            arms = {name: _arm(stand, name, iterations[name], servers) for name in started}
            comparisons, results = calibrate.measured(
                [arms[name] for name in listed],
                stand.generator,
                budget_s=asked.budget_s,
                block_s=asked.block_s,
                seed=number,
            )
        found.append(
            {
                "started_first": started[0],
                "listed_first": listed[0],
                "comparisons": [to_base(each).model_dump(mode="json") for each in comparisons],
                "measured_s": results.timing.measuring_s,
                "seconds": time.perf_counter() - begun,
            }
        )
    return found


def places(number: int) -> tuple[tuple[str, str], tuple[str, str]]:
    """The arms in the order they are started, and in that they are listed (and warmed up) in, of a trial.

    By turns, all four combinations in four trials: what either place does to an arm, it does to both as often.
    """
    orders = ((OTHER, BASE), (BASE, OTHER))
    return orders[number % 2], orders[number // 2 % 2]


def to_base(found: Comparison) -> Comparison:
    """The comparison as other to base, whichever was listed first."""
    if found.a == OTHER:
        return found
    inverse = None if found.ci95 is None else (1 / found.ci95[1], 1 / found.ci95[0])
    return found.model_copy(update={"a": found.b, "b": found.a, "ratio": 1 / found.ratio, "ci95": inverse})


def judged(found: list[dict[str, Any]]) -> int:
    """How many trials came to comparisons."""
    return sum(bool(trial["comparisons"]) for trial in found)


def _different(comparisons: list[dict[str, Any]]) -> bool:
    """Whether any metric is."""
    return any(each.verdict == "different" for each in map(Comparison.model_validate, comparisons))


def _slower(comparisons: list[dict[str, Any]]) -> bool:
    """Whether a headline metric says that the other is the slower one."""
    headlines = [each for each in map(Comparison.model_validate, comparisons) if each.metric in HEADLINES]
    return any(each.verdict == "different" and each.ratio > 1 for each in headlines)


def _tally(found: list[dict[str, Any]]) -> str:
    """How often each metric was, what ratios were seen, and how long it took."""
    by_metric: dict[str, list[dict[str, Any]]] = {}
    for comparison in (each for trial in found for each in trial["comparisons"]):
        by_metric.setdefault(comparison["metric"], []).append(comparison)
    shown = [
        f"{metric.removeprefix('latency_ms.')} {sum(each['verdict'] == 'different' for each in comparisons)}"
        f" (ratio {median(each['ratio'] for each in comparisons):.3f})"
        for metric, comparisons in by_metric.items()
    ]
    seconds, spoiled = median(trial["measured_s"] for trial in found), len(found) - judged(found)
    return f"; by metric {', '.join(shown)}; {spoiled} spoiled; {seconds:.0f} s measured a trial (median)"


def _costlier(stand: Stand, asked: Trials, iterations: int) -> tuple[int, float]:
    """As `calibrate.costlier`; raises `LoadFailed` where others spoiled that."""
    stand.say("what the burnt part of a request costs")
    found = calibrate.costlier(partial(_arm, stand), iterations, MORE, stand.generator, block_s=asked.block_s)
    if found is None:
        raise LoadFailed("other programs spoiled the weighing of the burnt part of a request")
    return found


def _arm(stand: Stand, name: str, iterations: int, servers: ExitStack) -> calibrate.Arm:
    return calibrate.burning(name, iterations, RATE_RPS, (stand.server_core,), stand.folder, servers)
