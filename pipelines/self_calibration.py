"""`deploy-compare doctor --measure`: what this machine can measure, on servers whose truth is known."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from loadtests.launch import Generator
from pipelines import burner, calibrate, ceiling, decide, environment, stats, trust
from pipelines.calibrate import CPU, Arm
from pipelines.ceiling import Say, Spoiled
from pipelines.errors import BadInput
from pipelines.results import Comparison, Results, Trust
from serving.engines import owner

BURN_S = 0.002
BURN_RPS = 150.0
BLOCK_S = 0.1
MORE = 0.05
"""Of its CPU per request, what one of the servers costs more."""
RESOLVED_IN_S = (15.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD = 1.35
"""Wall time of a trial over that of its blocks: pauses between blocks, warm-up, answers at rest."""
FIXED_S = 55.0
"""The null server's start, its ceiling and the lag, and the weighing of what a request burns."""


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
        stand = _Stand(generator, cpus[-1:], scratch, budget_s, say)
        base = burner.iterations_for(BURN_S)
        aa, aa_sd = stand.trial(("A", base), ("A again", base), seed=1)
        if any(each.verdict == "different" for each in aa):
            say("A against A came out different: once in 20 that is chance, so again")
            aa += stand.trial(("A", base), ("A again", base), seed=2)[0]
        say("what the burnt part of a request costs")
        weighed = calibrate.costlier(stand.arm, base, MORE, generator, block_s=BLOCK_S)
        if weighed is None:
            raise Spoiled("other programs spoiled the weighing of what a request burns")
        costly, injected = weighed
        a5, a5_sd = stand.trial(("A", base), ("A+5%", costly), seed=3)
    return Trust(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=trust.machine(),
        ceiling_rps=found.ceiling_rps,
        generator_cpu_us_per_request=found.cpu_us_per_request,
        lag_spectrum_ms=found.lag_spectrum_ms,
        aa=tuple(aa),
        a5=tuple(a5),
        a5_injected=injected,
        resolvable=tuple(resolvable([aa_sd, a5_sd], BLOCK_S)),
        block_s=BLOCK_S,
        made_by=trust.made_by(),
        seconds=time.perf_counter() - began_s,
    )


def resolvable(sd_logs: Sequence[float], block_s: float) -> list[tuple[float, float]]:
    """(seconds, smallest ratio found in 80 % of trials) for two arms measured in turn, at the spread seen.

    With se = sd/√n, n = seconds / (2 · block_s) pairs of blocks, and of several spreads the root mean square: exp of
    the larger of 2.8 · se (z.975 + z.80: p < 5 % in 80 of 100 trials) and ln 1.02 + 0.84 · se (z.80: the ratio seen is
    2 % or more, as a verdict asks for, in as many).
    """
    sd = math.sqrt(math.fsum(each**2 for each in sd_logs) / len(sd_logs))
    found = []
    for seconds in RESOLVED_IN_S:
        error = sd / math.sqrt(seconds / (2 * block_s))
        found.append((seconds, math.exp(max(2.8 * error, math.log1p(stats.DIFFERENT_EFFECT) + 0.84 * error))))
    return found


def faults(found: Trust) -> list[str]:
    """What a calibration must not show: a server that differs from itself, or 5 % more that comes out as less or equal.

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
    unseen = [
        f"5 % more CPU was called equivalent: {_told(each)}"
        for each in found.a5
        if each.metric == CPU and each.verdict == "equivalent"
    ]
    return same + wrong + unseen


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
        f"resolvable   CPU per request, two cells, blocks of {found.block_s:g} s: {best}",
    ]


def _told(each: Comparison) -> str:
    interval = f" [{each.ci95[0]:.3f}, {each.ci95[1]:.3f}]" if each.ci95 else ""
    more = f", {each.more_blocks} more blocks of each would decide" if each.more_blocks else ""
    return f"{each.metric} ratio {each.ratio:.3f}{interval}: {each.verdict} after {each.blocks} blocks of each{more}"


@dataclass(frozen=True)
class _Stand:
    """What both trials and the weighing stand on."""

    generator: Generator
    cpus: tuple[int, ...]
    scratch: Path
    budget_s: float
    say: Say

    def trial(self, first: tuple[str, int], second: tuple[str, int], seed: int) -> tuple[list[Comparison], float]:
        """Two burners, by name and iterations: the comparisons, and the spread of ln(CPU ratio)."""
        self.say(f"{first[0]} against {second[0]}, {self.budget_s:.0f} s of blocks")
        with ExitStack() as servers:
            comparisons, seen = calibrate.measured(
                [self.arm(name, iterations, servers) for name, iterations in (first, second)],
                self.generator,
                budget_s=self.budget_s,
                block_s=BLOCK_S,
                seed=seed,
                say=self.say,
            )
        return comparisons, _spread(seen)

    def arm(self, name: str, iterations: int, servers: ExitStack) -> Arm:
        return calibrate.burning(name, iterations, BURN_RPS, self.cpus, self.scratch, servers)


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
