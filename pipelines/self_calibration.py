"""`deploy-compare doctor --measure`: what this machine can measure, on servers whose truth is known."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from loadtests import payloads
from loadtests.block import Open
from loadtests.launch import Generator
from pipelines import burner, calibrate, ceiling, decide, environment, trust
from pipelines.calibrate import Arm
from pipelines.ceiling import PROTOCOL, Say, Spoiled
from pipelines.errors import BadInput
from pipelines.results import Comparison, Results, Trust
from serving.engines import owner

BURN_S = 0.002
BURN_RPS = 150.0
BLOCK_S = 0.1
INJECTED = 1.05
CPU = "cpu_ms_per_request"
RESOLVED_IN_S = (15.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD = 1.35
"""Wall time of a trial over that of its blocks: pauses between blocks, warm-up, answers at rest."""
FIXED_S = 25.0
"""The null server's start, its ceiling and the lag."""


def calibrate_machine(seconds: float, say: Say) -> Trust:
    """Measure for about so many seconds; raises `BadInput` on one core, `Spoiled` where others disturbed it."""
    cpus = tuple(environment.usable_cpus())
    if len(cpus) < 2:
        raise BadInput("calibration needs two usable cores, one for the server and one for the generator; here is one")
    began_s = time.perf_counter()
    owner.mark("doctor")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scratch = Path(folder)
        generator = stack.enter_context(Generator(cpus[:-1][:1], scratch / "generator.log"))
        found = ceiling.measure(generator, cpus[-1:], scratch, say)
        budget_s = max(12.0, (seconds - FIXED_S) / 2 / OVERHEAD)
        aa, aa_sd = _trial(generator, cpus[-1:], scratch, 1.0, budget_s, say)
        if any(each.verdict == "different" for each in aa):
            say("A against A came out different: once in 20 that is chance, so again")
            aa += _trial(generator, cpus[-1:], scratch, 1.0, budget_s, say)[0]
        a5, a5_sd = _trial(generator, cpus[-1:], scratch, INJECTED, budget_s, say)
    return Trust(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=trust.machine(),
        ceiling_rps=found.ceiling_rps,
        generator_cpu_us_per_request=found.cpu_us_per_request,
        lag_spectrum_ms=found.lag_spectrum_ms,
        aa=tuple(aa),
        a5=tuple(a5),
        a5_injected=INJECTED,
        resolvable=tuple(resolvable([aa_sd, a5_sd], BLOCK_S)),
        seconds=time.perf_counter() - began_s,
    )


def resolvable(sd_logs: Sequence[float], block_s: float) -> list[tuple[float, float]]:
    """(seconds, smallest ratio found in 80 % of trials) for two arms measured in turn, at the spread seen.

    ratio = exp(2.8 · sd / √n), n = seconds / (2 · block_s) pairs of blocks, 2.8 = z.975 + z.80 of `p` < 5 % in 80 of
    100 trials; of several spreads the root mean square.
    """
    sd = math.sqrt(math.fsum(each**2 for each in sd_logs) / len(sd_logs))
    return [(seconds, math.exp(2.8 * sd / math.sqrt(seconds / (2 * block_s)))) for seconds in RESOLVED_IN_S]


def faults(found: Trust) -> list[str]:
    """What a calibration must not show: a server that differs from itself, or 5 % more that comes out as less.

    A metric of the A/A trial differs by chance in one of 20 trials, and a trial has several; so the trial was measured
    again where one did, and only what differed both times is a fault.
    """
    again = {metric: [each for each in found.aa if each.metric == metric] for metric in {a.metric for a in found.aa}}
    same = [
        f"a server differs from itself: {_told(trials[-1])}"
        for trials in again.values()
        if all(each.verdict == "different" for each in trials)
    ]
    wrong = [
        f"5 % more CPU came out as less: {_told(each)}"
        for each in found.a5
        if each.metric == CPU and each.verdict == "different" and each.ratio > 1
    ]
    return same + wrong


def lines(found: Trust) -> list[str]:
    """The calibration for reading, a line a figure."""
    lag = dict(found.lag_spectrum_ms)
    spectrum = ", ".join(f"p{percentile:g} {ms:.2f}" for percentile, ms in lag.items())
    best = ", ".join(f"{(ratio - 1) * 100:.1f} % in {seconds:g} s" for seconds, ratio in found.resolvable)
    return [
        f"ceiling      {found.ceiling_rps:,.0f} requests/s from one generator to the null server",
        f"generator    {found.generator_cpu_us_per_request:.0f} µs of its CPU per request at {ceiling.LAG_RPS:g}/s",
        f"lag          ms at {ceiling.LAG_RPS:g} requests/s: {spectrum}",
        *(f"A/A          {_told(each)}" for each in found.aa),
        *(f"A/A+5 %      {_told(each)}" for each in found.a5),
        f"resolvable   CPU per request, two cells: {best}",
    ]


def _told(each: Comparison) -> str:
    interval = f" [{each.ci95[0]:.3f}, {each.ci95[1]:.3f}]" if each.ci95 else ""
    more = f", {each.more_blocks} more blocks of each would decide" if each.more_blocks else ""
    return f"{each.metric} ratio {each.ratio:.3f}{interval}: {each.verdict} after {each.blocks} blocks of each{more}"


def _trial(
    generator: Generator, cpus: tuple[int, ...], scratch: Path, more: float, budget_s: float, say: Say
) -> tuple[list[Comparison], float]:
    """A burner beside one that burns `more` times as much: the comparisons, and the spread of ln(CPU ratio)."""
    requests = scratch / "burner.npz"
    random = np.random.default_rng(1)
    payloads.save(requests, [{burner.INPUT: random.random(burner.SHAPE, dtype=np.float32)} for _ in range(8)])
    iterations = burner.iterations_for(BURN_S)
    names = ("A", "A again" if more == 1 else f"A+{more - 1:.0%}")
    with ExitStack() as stack:
        arms = []
        for name, factor in zip(names, (1.0, more), strict=True):
            log = scratch / "logs" / f"{name}.log"
            copies = burner.copies(calibrate.COPIES, round(iterations * factor), cpus, log, stack)
            arms.append(Arm(name, copies, PROTOCOL, burner.MODEL, requests, Open(BURN_RPS), cpus))
        say(f"{names[0]} against {names[1]}, {budget_s:.0f} s of blocks")
        comparisons, seen = calibrate.measured(
            arms, generator, budget_s=budget_s, block_s=BLOCK_S, seed=round(more * 100), say=say
        )
    return comparisons, _spread(seen)


def _spread(seen: Results) -> float:
    """sd of ln(CPU per request of A / of B), block by block; raises `Spoiled`."""
    for cell in seen.cells:
        if cell.status == "invalid":
            raise Spoiled(f"the calibration was spoiled: {cell.reason}")
    first, second = (cell.loads[0].blocks for cell in seen.cells)
    ratio = decide.ratio(first, second, CPU)
    if ratio is None or ratio.sd_log is None:
        raise Spoiled("the calibration was too short to tell a spread")
    return ratio.sd_log
