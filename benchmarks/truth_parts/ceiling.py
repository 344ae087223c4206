"""A server whose highest rate is known: what our capacity search finds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.errors import LoadFailed
from benchmarks.truth_parts.injecting import ONE_WORKER, SERVICE_NS
from benchmarks.truth_parts.row import Row
from benchmarks.truth_parts.stand import SEED, WARM_UP_S, Stand, told
from loadtests import gates, samples
from loadtests.block import Open
from pipelines import search, slo, trials
from pipelines.experiment import Capacity, Slo

SERVER = "benchmarks.truth_parts.injecting"
ASKED = Capacity(slo=Slo(p99_ms=20.0), distribution="constant")
STARTS_RPS = (100.0, 80.0, 60.0, 120.0, 140.0)
"""Each search begins elsewhere: the rates it tries are then other ones too."""
BAR = 0.05
MOST_SPOILED = 10
"""Trials of one search that may be measured again."""


def rows(stand: Stand, searches: int) -> Iterator[Row]:
    """That many searches, one after another, on one server."""
    found: list[dict[str, Any]] = []
    with stand.serving(["-m", SERVER, ONE_WORKER, str(SEED)]) as url:
        stand.drive(url, Open(STARTS_RPS[0]), WARM_UP_S)
        for number, start_rps in enumerate(STARTS_RPS[:searches]):
            told(url)
            stand.say(f"capacity: search {number + 1} of {searches}")
            found.append(_search(stand, url, start_rps) | {"true_rps": 1e3 / float(told(url)[:, 1].mean())})
    yield Row(
        f"capacity of one worker of {SERVICE_NS / 1e6:g} ms, {slo.describe(ASKED.slo)}, constant arrivals",
        f"within {BAR:.0%} of the server's own ceiling, {len(STARTS_RPS)} searches",
        "; ".join(map(_told, found)),
        all(abs(_error(each)) <= BAR for each in found) and len(found) == len(STARTS_RPS),
        {"nominal_rps": 1e9 / SERVICE_NS, "searches": [each | {"error": _error(each)} for each in found]},
    )


def _error(found: dict[str, Any]) -> float:
    return float(found["rps"] / found["true_rps"] - 1)


def _told(found: dict[str, Any]) -> str:
    low, high = found["ci95"]
    return f"{found['rps']:.1f}/s [{low:.1f}, {high:.1f}] of {found['true_rps']:.1f} ({_error(found):+.1%})"


def _search(stand: Stand, url: str, start_rps: float) -> dict[str, Any]:
    """Trials as `search.advance` asks for them; raises `LoadFailed` where it finds none, or too many are spoiled."""
    tried: list[search.Tried] = []
    spoiled, begun = 0, time.perf_counter()
    while not isinstance(step := search.advance(tried, start_rps, ASKED.replicates), search.Found):
        held = _trial(stand, url, step)
        if held is not None:
            tried.append(search.Tried(step, held))
            continue
        spoiled += 1
        if spoiled > MOST_SPOILED:
            raise LoadFailed(f"{spoiled} trials of one search were spoiled by the generator's lag")
    if step.rps is None:
        raise LoadFailed(f"no capacity: {step.reason}")
    return {
        "rps": step.rps,
        "ci95": step.ci95,
        "trials": [asdict(trial) for trial in tried],
        "spoiled": spoiled,
        "seconds": time.perf_counter() - begun,
    }


def _trial(stand: Stand, url: str, rate_rps: float) -> bool | None:
    """Whether that rate held the SLO; None where the generator spoiled the trial."""
    seconds = trials.trial_s(ASKED, rate_rps)
    result = stand.generator.run(stand.block(url, Open(rate_rps, ASKED.distribution), seconds))
    seen = samples.read(result.samples)
    judged = gates.judge(
        samples.figures(seen),
        offered_rps=result.offered_rps,
        cpu_fraction=result.generator.cpu_fraction,
        least_requests=1,
    )
    if any(gate.name in gates.SPOILING and not gate.passed for gate in judged):
        return None
    return slo.met(seen, ASKED.slo)
