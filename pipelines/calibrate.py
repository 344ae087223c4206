"""Interleaved blocks of servers that already run, without a run around them: the same design, the same decisions."""

from __future__ import annotations

import dataclasses
import io
import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from loadtests import payloads
from loadtests.block import Arrivals, Open
from loadtests.errors import LoadTestError
from loadtests.launch import Generator
from pipelines import bench, burner, rounds
from pipelines.bench import Standing
from pipelines.experiment import Load, Workload
from pipelines.progress import Display
from pipelines.results import Comparison, Results
from pipelines.store import RunFolder
from serving import engines

MODEL = "trial"
WARMUP_S = 1.0
"""Of each copy: what is compared here answers as it always will after a few requests."""
CPU = "cpu_ms_per_request"
WEIGHED_S = 20.0
"""Of blocks, to tell how much CPU the burnt part of a request is."""
COPIES = 6
"""Of each server, where a trial starts them: one start in ten was 4 % dearer or cheaper as long as it lived."""
MAX_REPEATS, REPEATED = 8, 0.5
"""Rounds measured again because another program spoiled them, and of all rounds the fraction where that is more: more
than a run's, which has other loads to go on to."""


@dataclass(frozen=True)
class Arm:
    """A server that runs, and how it is loaded."""

    name: str
    """What it is called in comparisons; each arm of a trial has its own."""
    copies: tuple[Standing, ...]
    """The server, or several starts of it, which are measured by turns."""
    protocol: str
    model: str
    payloads: Path
    """An `.npz` of `loadtests.payloads.save`; all arms of a trial have the same requests and the same arrivals."""
    arrivals: Arrivals
    cpus: tuple[int, ...] = ()
    """The cores it is on; empty where that is not known."""


def trial(
    arms: Sequence[Arm],
    generator: Generator,
    *,
    budget_s: float,
    block_s: float,
    seed: int,
    say: Callable[[str], None] | None = None,
) -> list[Comparison]:
    """Compare the arms on at most `budget_s` seconds of blocks, all arms together; a pilot may ask for fewer.

    Empty where the measurement stayed spoiled. Raises `LoadTestError` where a server could not hold out.
    """
    return measured(arms, generator, budget_s=budget_s, block_s=block_s, seed=seed, say=say)[0]


def measured(
    arms: Sequence[Arm],
    generator: Generator,
    *,
    budget_s: float,
    block_s: float,
    seed: int,
    say: Callable[[str], None] | None = None,
) -> tuple[list[Comparison], Results]:
    """As `trial`, with the results the comparisons were taken from; arms are cells whose `server` is their name."""
    first = arms[0]
    workload = Workload.model_validate({"name": "trial", "arrivals": dataclasses.asdict(first.arrivals)})
    repeats = max(MAX_REPEATS, math.ceil(REPEATED * rounds.fitting(budget_s, block_s, len(arms))))
    load = Load(
        workloads=(workload,),
        budget_s=budget_s,
        block_s=block_s,
        warmup_s=WARMUP_S,
        max_repeats=repeats,
        seed=seed,
    )
    asked = bench.experiment("trial", MODEL, first.protocol, load)
    inputs = payloads.load(first.payloads)
    servers = [bench.running(bench.cell(MODEL, arm.name, arm.protocol), arm.copies, arm.model, inputs) for arm in arms]
    names = {each.cell.id: arm.name for each, arm in zip(servers, arms, strict=True)}
    console = Console(file=_Lines(say), width=200)
    left = bench.time_left(asked, len(arms))
    with tempfile.TemporaryDirectory() as scratch, Display(console, left) as display:
        folder = RunFolder(Path(scratch))
        folder.samples.mkdir()
        on = bench.Bench(folder, generator, engines.load("process", folder.path, folder.logs), first.cpus)
        bench.sit(asked, servers, on, display)
        results = bench.assembled(asked, [each.cell for each in servers], folder, {})
    for cell in results.cells:
        if cell.status == "failed":
            raise LoadTestError(f"{names[cell.id]}: {cell.reason}", cell.detail or "")
    comparisons = [found.model_copy(update={"a": names[found.a], "b": names[found.b]}) for found in results.comparisons]
    return comparisons, results


def burning(
    name: str, iterations: int, rate_rps: float, cpus: tuple[int, ...], folder: Path, servers: ExitStack
) -> Arm:
    """An arm of `COPIES` burners that burn so many iterations a request, up until `servers` is closed."""
    requests = folder / "burner.npz"
    random = np.random.default_rng(1)
    payloads.save(requests, [{burner.INPUT: random.random(burner.SHAPE, dtype=np.float32)} for _ in range(8)])
    copies = burner.copies(COPIES, iterations, cpus, folder / "logs" / f"{name}.log", servers)
    return Arm(name, copies, "oip-http", burner.MODEL, requests, Open(rate_rps), cpus)


def costlier(
    arm: Callable[[str, int, ExitStack], Arm], iterations: int, more: float, generator: Generator, *, block_s: float
) -> tuple[int, float] | None:
    """(iterations that make a request cost `more` of its CPU in all, the ratio so injected); None where it was spoiled.

    `arm` starts a burner of a name and iterations. CPU per request is a + b × iterations; servers with them and with
    twice as many, measured in turn for `WEIGHED_S`, have the ratio 1 + b × iterations / (a + b × iterations).
    """
    with ExitStack() as servers:
        arms = [arm("twice", 2 * iterations, servers), arm("once", iterations, servers)]
        found = trial(arms, generator, budget_s=WEIGHED_S, block_s=block_s, seed=0)
    ratios = [each.ratio if each.a == "twice" else 1 / each.ratio for each in found if each.metric == CPU]
    if not ratios:
        return None
    burnt = ratios[0] - 1
    added = round(more * iterations / burnt)
    return iterations + added, 1 + added / iterations * burnt


class _Lines(io.StringIO):
    """A stream that hands what is printed to it to `say`, or drops it."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        super().__init__()
        self._say = say

    def write(self, text: str) -> int:
        if self._say and text.strip():
            self._say(text.rstrip("\n"))
        return len(text)
