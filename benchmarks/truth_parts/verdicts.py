"""A server against itself, and against itself with 5 % more CPU per request: how often the verdict is right."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.errors import LoadFailed
from benchmarks.truth_parts.row import Row
from benchmarks.truth_parts.stand import Stand
from loadtests import payloads
from loadtests.block import Open
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
"""Of the trials, the most that may end without comparisons; no bar of a few trials speaks for all."""
HEADLINES = ("cpu_ms_per_request", "latency_ms.p50")
WEIGHED_S = 20.0
"""Of blocks, to tell how much CPU the burnt part of a request is."""
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
    wrong = [trial for trial in found if _different(trial["comparisons"])]
    spoiled = sum(not trial["comparisons"] for trial in found)
    allowed = math.floor(MISTAKES * asked.trials)
    yield Row(
        f"a server against itself, {RATE_RPS:g}/s, {asked.trials} trials",
        f"at most {allowed} *different* on CPU per request or p50",
        f"{len(wrong)} *different*{_tally(found, spoiled)}",
        len(wrong) <= allowed and spoiled <= SPOILED * asked.trials,
        {"trials": found, "block_s": asked.block_s},
    )


def slower(stand: Stand, asked: Trials) -> Iterator[Row]:
    """The same, but one of them burns so much more that a request costs 5 % more CPU in all."""
    iterations = burner.iterations_for(BURN_S)
    more, injected = _costlier(stand, asked, iterations)
    found = _trials(stand, asked, "5 % more", iterations, more)
    right = [trial for trial in found if _different(trial["comparisons"], slower=True)]
    spoiled = sum(not trial["comparisons"] for trial in found)
    needed = math.ceil(FOUND * asked.trials)
    yield Row(
        f"a server against itself with {MORE:.0%} more CPU per request, {RATE_RPS:g}/s, {asked.trials} trials",
        f"at least {needed} *different* the right way on CPU per request or p50",
        f"{len(right)} *different* the right way{_tally(found, spoiled)}",
        len(right) >= needed,
        {"trials": found, "block_s": asked.block_s, "injected": injected},
    )


def _trials(stand: Stand, asked: Trials, doing: str, base: int, other: int) -> list[dict[str, Any]]:
    """Of each its comparisons, other to base; `seconds` is all it took, `measured_s` its blocks."""
    found = []
    iterations = {OTHER: other, BASE: base}
    for number in range(asked.trials):
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


def _different(comparisons: list[dict[str, Any]], slower: bool = False) -> bool:
    """Whether a headline metric is; `slower`: and says that the other is the slower one."""
    headlines = [each for each in map(Comparison.model_validate, comparisons) if each.metric in HEADLINES]
    return any(each.verdict == "different" and (each.ratio > 1 or not slower) for each in headlines)


def _tally(found: list[dict[str, Any]], spoiled: int) -> str:
    """How often each metric was, what ratios were seen, and how long it took."""
    by_metric: dict[str, list[dict[str, Any]]] = {}
    for comparison in (each for trial in found for each in trial["comparisons"]):
        by_metric.setdefault(comparison["metric"], []).append(comparison)
    shown = [
        f"{metric.removeprefix('latency_ms.')} {sum(each['verdict'] == 'different' for each in comparisons)}"
        f" (ratio {median(each['ratio'] for each in comparisons):.3f})"
        for metric, comparisons in by_metric.items()
    ]
    seconds = median(trial["measured_s"] for trial in found)
    return f"; by metric {', '.join(shown)}; {spoiled} spoiled; {seconds:.0f} s measured a trial (median)"


def _costlier(stand: Stand, asked: Trials, iterations: int) -> tuple[int, float]:
    """(iterations for 5 % more CPU per request, the ratio so injected).

    CPU per request is a + b × iterations; servers with them and with twice as many, measured in turn, have the ratio
    1 + b × iterations / (a + b × iterations). Raises `LoadFailed` where others spoiled that.
    """
    stand.say("what the burnt part of a request costs")
    with ExitStack() as servers:
        arms = [_arm(stand, name, count, servers) for name, count in ((OTHER, 2 * iterations), (BASE, iterations))]
        found = calibrate.trial(arms, stand.generator, budget_s=WEIGHED_S, block_s=asked.block_s, seed=0)
    burnt = next((to_base(each).ratio - 1 for each in found if each.metric == HEADLINES[0]), None)
    if burnt is None:
        raise LoadFailed("other programs spoiled the weighing of the burnt part of a request")
    more = round(MORE * iterations / burnt)
    return iterations + more, 1 + more / iterations * burnt


def _arm(stand: Stand, name: str, iterations: int, servers: ExitStack) -> calibrate.Arm:
    """Copies of a burner, up until `servers` is closed."""
    requests = stand.folder / "burner.npz"
    payloads.save(requests, [{burner.INPUT: np.zeros(burner.SHAPE, np.float32)}])
    cores, log = (stand.server_core,), stand.folder / "burner.log"
    copies = burner.copies(calibrate.COPIES, iterations, cores, log, servers)
    return calibrate.Arm(name, copies, "oip-http", burner.MODEL, requests, Open(RATE_RPS), cores)
