"""`deploy-compare doctor --measure`: what this machine can measure, on servers whose truth is known."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from loadtests import payloads, protocols, samples
from loadtests.block import Arrivals, Block, Closed, Open, Result
from loadtests.errors import NotReady
from loadtests.launch import Generator
from pipelines import burner, calibrate, decide, environment, trust
from pipelines.calibrate import Arm
from pipelines.errors import BadInput
from pipelines.results import Comparison, Results, Trust
from pipelines.run import CACHE
from serving import catalog, engines
from serving.engines import owner
from serving.engines.contract import Budget
from serving.reference.artifact import Tensor
from serving.reference.runtimes import null

Say = Callable[[str], None]

PROTOCOL = "oip-http"
CEILING_S = 1.0
USERS = (1, 2, 4, 8, 16, 32, 64)
GROWS = 1.03
"""More users that bring less than 3 % more requests have found the ceiling."""
LAG_RPS = 500.0
LAG_S = 8.0
SPECTRUM = (50, 90, 95, 99, 99.9)
BURN_S = 0.002
BURN_RPS = 150.0
BLOCK_S = 2.0
INJECTED = 1.05
CPU = "cpu_ms_per_request"
RESOLVED_IN_S = (15.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD = 1.35
"""Wall time of a trial over that of its blocks: pauses between blocks, warm-up, answers at rest."""
FIXED_S = 25.0
"""The null server's start, its ceiling and the lag."""


class Spoiled(Exception):
    """Something else ran on this machine: what was measured is not its measure."""


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
        ceiling_rps, cpu_us, lag = _generator(generator, cpus[-1:], scratch, say)
        budget_s = max(12.0, (seconds - FIXED_S) / 2 / OVERHEAD)
        aa, aa_sd = _trial(generator, cpus[-1:], scratch, 1.0, budget_s, say)
        a5, a5_sd = _trial(generator, cpus[-1:], scratch, INJECTED, budget_s, say)
    return Trust(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=trust.machine(),
        ceiling_rps=ceiling_rps,
        generator_cpu_us_per_request=cpu_us,
        lag_spectrum_ms=lag,
        aa=tuple(aa),
        a5=tuple(a5),
        a5_injected=INJECTED,
        resolvable=tuple(resolvable([aa_sd, a5_sd], BLOCK_S)),
        seconds=time.perf_counter() - began_s,
    )


def resolvable(sd_logs: Sequence[float], block_s: float) -> list[tuple[float, float]]:
    """(seconds, smallest ratio found in 80 % of trials) for two arms measured in turn, at the spread seen.

    ratio = exp(2.8 · sd / √n), n = seconds / (2 · block_s) pairs of blocks, 2.8 = z.975 + z.80 (`stats.blocks_for`
    solved for the effect); of several spreads the root mean square.
    """
    sd = math.sqrt(math.fsum(each**2 for each in sd_logs) / len(sd_logs))
    return [(seconds, math.exp(2.8 * sd / math.sqrt(seconds / (2 * block_s)))) for seconds in RESOLVED_IN_S]


def faults(found: Trust) -> list[str]:
    """What a calibration must not show: a server that differs from itself, or 5 % more that comes out as less."""
    same = [f"a server differs from itself: {_told(each)}" for each in found.aa if each.verdict == "different"]
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
        f"generator    {found.generator_cpu_us_per_request:.0f} µs of CPU per request at {LAG_RPS:g} requests/s",
        f"lag          ms at {LAG_RPS:g} requests/s: {spectrum}",
        *(f"A/A          {_told(each)}" for each in found.aa),
        *(f"A/A+5 %      {_told(each)}" for each in found.a5),
        f"resolvable   CPU per request, two cells: {best}",
    ]


def _told(each: Comparison) -> str:
    interval = f" [{each.ci95[0]:.3f}, {each.ci95[1]:.3f}]" if each.ci95 else ""
    more = f", {each.more_blocks} more blocks of each would decide" if each.more_blocks else ""
    return f"{each.metric} ratio {each.ratio:.3f}{interval}: {each.verdict} after {each.blocks} blocks of each{more}"


# -- the generator


def _generator(
    generator: Generator, cpus: tuple[int, ...], scratch: Path, say: Say
) -> tuple[float, float, tuple[tuple[float, float], ...]]:
    """Its ceiling in requests/s, CPU per request in µs, and lag spectrum, against the null server."""
    requests = scratch / "null.npz"
    payloads.save(requests, [{"x": np.ones((1, 8), np.float32)}])
    with _null_server(cpus, scratch, say) as (url, model):

        def run(arrivals: Arrivals, duration_s: float) -> Result:
            name = str(scratch / "null.parquet")
            return generator.run(Block(url, PROTOCOL, model, str(requests), arrivals, duration_s, seed=1, samples=name))

        run(Closed(1), CEILING_S)
        ceiling_rps = _ceiling(run, say)
        say(f"lag at {LAG_RPS:g} requests/s, {LAG_S:g} s")
        result = run(Open(LAG_RPS), LAG_S)
        return ceiling_rps, 1e6 * result.generator.cpu_fraction / LAG_RPS, _lag(samples.read(result.samples))


def _ceiling(run: Callable[[Arrivals, float], Result], say: Say) -> float:
    best_rps = 0.0
    for users in USERS:
        found_rps = run(Closed(users), CEILING_S).achieved_rps
        say(f"ceiling: {users} users, {found_rps:,.0f} requests/s")
        if found_rps < best_rps * GROWS:
            return max(best_rps, found_rps)
        best_rps = found_rps
    return best_rps


def _lag(seen: samples.Samples) -> tuple[tuple[float, float], ...]:
    lag_ms = (seen.sent - seen.intended) * 1e3
    if np.isnan(lag_ms).any():
        raise Spoiled(f"{np.count_nonzero(np.isnan(lag_ms))} requests never left at {LAG_RPS:g} requests/s")
    enough = [percentile for percentile in SPECTRUM if len(lag_ms) >= samples.samples_needed(percentile / 100)]
    return tuple((percentile, samples.nearest_rank(lag_ms, percentile / 100)) for percentile in enough)


@contextmanager
def _null_server(cpus: tuple[int, ...], scratch: Path, say: Say) -> Iterator[tuple[str, str]]:
    """URL and model of the reference server with a runtime that costs nothing."""
    server, engine = catalog.load("reference-null"), engines.load("process", CACHE, scratch / "logs")
    engine.prepare(server, say)
    artifact = scratch / "null"
    artifact.mkdir()
    manifest = null.write(artifact, (Tensor("x", "float32", ("batch", 8)),), (Tensor("y", "float32", ("batch", 8)),))
    client = protocols.load(PROTOCOL)

    def answers(url: str) -> bool:
        try:
            client.infer(url, manifest.id, {"x": np.ones((1, 8), np.float32)}, timeout_s=5)
        except NotReady:
            return False
        return True

    budget = Budget(cpus, memory_bytes=1_000_000_000, pids=256)
    with engine.deploy(server, artifact, budget, answers, PROTOCOL) as deployment:
        yield deployment.url, manifest.id


# -- the verdicts


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
            server = stack.enter_context(burner.running(round(iterations * factor), cpus, log))
            arms.append(Arm(name, server.url, PROTOCOL, burner.MODEL, requests, Open(BURN_RPS), server.usage, cpus))
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
