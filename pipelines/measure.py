"""Measures running candidates in interleaved randomized blocks, every one paused but the one that is measured."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from loadtests import gates, payloads, responses, samples
from loadtests.block import Arrivals, Block, Result
from loadtests.errors import LoadTestError
from loadtests.wire import ARRIVALS
from models.cases import Reference
from pipelines import history, rounds, served
from pipelines.experiment import Workload
from pipelines.journal import BlockMeasured, ParityChecked, RoundMeasured
from pipelines.parity import compare, worst
from pipelines.sitting import Running, Sitting
from serving.errors import ServerGone, ServingError

T = TypeVar("T")

KEEP_RESPONSES = 16
"""Responses per block that are compared with the reference."""
WAKE_REQUESTS = 5
"""Requests sent, unmeasured, to a server just unfrozen: else its cold caches would show in the first answers."""
GENERATOR_GATES = {"lag", "generator_cpu"}
"""The gates that say the generator, not the server, spoiled a block: measuring again can help."""


def warm_up(sitting: Sitting, running: Sequence[Running]) -> list[Running]:
    """Load each candidate unmeasured, `warmup_s` in equal shares for its workloads; returns those that hold out."""
    warm = []
    for each in running:
        sitting.display.step("warm-up", each.cell.id)
        workloads = sitting.experiment.workloads_of(each.cell.model)
        share_s = sitting.experiment.load.warmup_s / len(workloads)
        try:
            with _awake(each):
                for workload in workloads:
                    block = _block(sitting, each, workload, "warm-up", seed=0, duration_s=share_s, keep=0)
                    sitting.generator.run(block)
                    Path(block.samples).unlink()
        except (ServingError, LoadTestError) as exc:
            sitting.fail(each.cell, "warm-up", str(exc), exc.detail)
        else:
            warm.append(each)
    return warm


def measure(sitting: Sitting, running: Sequence[Running]) -> None:
    """All rounds of all workloads that the journal does not have yet, each finished block written to it at once."""
    load = sitting.experiment.load
    model = running[0].cell.model
    standing = list(running)
    workloads = sitting.experiment.workloads_of(model)
    for round_ in itertools.count():
        ahead = [workload for workload in workloads if round_ < _rounds(sitting, standing, workload)]
        if not ahead or not standing:
            return
        for workload in _shuffled(ahead, load.seed, model, round_):
            while (
                standing
                and (attempt := history.attempt(sitting.journal.events, model, workload.name, round_)) is not None
            ):
                standing = _round(sitting, standing, workload, round_, attempt)


def _rounds(sitting: Sitting, standing: Sequence[Running], workload: Workload) -> int:
    """The rounds of the workload, as far as they are known."""
    return rounds.most(sitting.experiment.load, workload, len(standing))


def _round(
    sitting: Sitting, running: Sequence[Running], workload: Workload, round_: int, attempt: int
) -> list[Running]:
    """One block of each candidate, in seeded random order; returns those still standing."""
    load, model = sitting.experiment.load, running[0].cell.model
    standing = []
    for each in _shuffled(running, load.seed, model, workload.name, round_, attempt):
        if each.cell.id in history.measured(sitting.journal.events, workload.name, round_, attempt):
            standing.append(each)
            continue
        sitting.display.step("block", f"{each.cell.id}  {workload.name}, round {round_ + 1}")
        try:
            _measure_block(sitting, each, workload, round_, attempt)
        except (ServingError, LoadTestError) as exc:
            sitting.fail(each.cell, "load", str(exc), exc.detail or each.deployment.logs())
        except served.WrongAnswer as exc:
            sitting.fail(each.cell, "load", f"wrong_values: {exc}")
        else:
            standing.append(each)
    blocks = history.measured(sitting.journal.events, workload.name, round_, attempt)
    spoiled = sorted({gate for each in standing for gate in blocks[each.cell.id].spoiled})
    repeat = bool(spoiled) and history.repeats(sitting.journal.events, model, workload.name) < load.max_repeats
    sitting.journal.add(
        RoundMeasured(model=model, workload=workload.name, round=round_, attempt=attempt, repeat=repeat)
    )
    if repeat:
        sitting.display.say(f"repeat    {model} {workload.name}, round {round_ + 1}: gate {', '.join(spoiled)}")
        sitting.recount()
    return standing


def _measure_block(sitting: Sitting, running: Running, workload: Workload, round_: int, attempt: int) -> None:
    """Raises `ServerGone`, `LoadTestError`, or `WrongAnswer` where a sampled response deviates."""
    cell, load = running.cell, sitting.experiment.load
    seed = _seed(load.seed, cell.model, workload.name, round_)
    name = f"{workload.name}-r{round_:02d}-a{attempt}"
    with _awake(running):
        keep = KEEP_RESPONSES if running.checked else 0
        block = _block(sitting, running, workload, name, seed=seed, duration_s=load.block_s, keep=keep)
        before = running.deployment.usage()
        result = sitting.generator.run(block)
        after = running.deployment.usage()
    _check_responses(sitting, running, result)
    event = BlockMeasured(
        cell=cell.id,
        workload=workload.name,
        round=round_,
        attempt=attempt,
        samples=str(Path(result.samples).relative_to(sitting.folder.path)),
        offered_rps=result.offered_rps,
        duration_s=load.block_s,
        wall_s=result.generator.wall_s,
        server_cpu_s=after.cpu_s - before.cpu_s if before and after else None,
        memory_peak_bytes=after.memory_peak_bytes if after else None,
        generator_cpu_fraction=result.generator.cpu_fraction,
        error_kinds={kind.kind: kind.count for kind in result.error_kinds},
        spoiled=_spoiled(result),
    )
    sitting.journal.add(event)


def _check_responses(sitting: Sitting, running: Running, result: Result) -> None:
    kept = responses.load(result.responses) if result.responses else []
    if not kept:
        return
    tolerance, cases = sitting.experiment.tolerance, running.cases
    found = worst([compare(each.outputs, cases[each.payload].outputs, tolerance, "under_load") for each in kept])
    sitting.journal.add(ParityChecked(cell=running.cell.id, parity=served.record(found)))
    if not found.passed:
        raise served.WrongAnswer(f"a response under load deviates from the source: {served.describe(found)}")


def _spoiled(result: Result) -> tuple[str, ...]:
    judged = gates.judge(
        samples.figures(samples.read(result.samples)),
        offered_rps=result.offered_rps,
        cpu_fraction=result.generator.cpu_fraction,
        least_requests=1,
    )
    return tuple(gate.name for gate in judged if not gate.passed and gate.name in GENERATOR_GATES)


def _block(
    sitting: Sitting, running: Running, workload: Workload, name: str, *, seed: int, duration_s: float, keep: int
) -> Block:
    cell = running.cell
    folder = sitting.folder.samples / cell.slug
    folder.mkdir(exist_ok=True)
    responses_file = str(folder / f"{name}.responses.npz") if keep else None
    return Block(
        url=running.deployment.url,
        protocol=cell.protocol,
        model=running.served_name,
        payloads=str(payload_file(sitting, cell.model)),
        arrivals=_arrivals(workload),
        duration_s=duration_s,
        seed=seed,
        samples=str(folder / f"{name}.parquet"),
        responses=responses_file,
        keep_responses=keep,
    )


def save_payloads(sitting: Sitting, model: str, reference: Reference) -> None:
    """Write the requests that the model's load tests draw from."""
    payloads.save(payload_file(sitting, model), [case.inputs for case in reference.load])


def payload_file(sitting: Sitting, model: str) -> Path:
    return sitting.folder.samples / f"{model}.payloads.npz"


@contextlib.contextmanager
def _awake(running: Running) -> Iterator[None]:
    """The candidate runs, and answers; it is frozen again afterwards."""
    deployment = running.deployment
    deployment.resume()
    try:
        ask = served.asker(running.cell.protocol, deployment.url, running.served_name)
        for case in running.cases[:WAKE_REQUESTS]:
            ask(case.inputs)
        yield
    finally:
        with contextlib.suppress(ServerGone):
            deployment.pause()


@contextlib.contextmanager
def on_cores(cpus: Sequence[int]) -> Iterator[None]:
    """This process keeps to `cpus`, so that its own work is not booked to the server measured on the others."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _arrivals(workload: Workload) -> Arrivals:
    fields = workload.arrivals.model_dump()
    return ARRIVALS[fields["kind"]](**fields)


def _seed(*parts: object) -> int:
    """The same parts give the same seed, in every process and on every machine."""
    return random.Random("/".join(map(str, parts))).getrandbits(31)


def _shuffled(items: Sequence[T], *parts: object) -> list[T]:
    return random.Random(_seed(*parts)).sample(list(items), len(items))
