"""Between a sitting and the load generator: what a block asks of a running server, and the server awake for it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from loadtests import gates, payloads, responses, samples
from loadtests.block import Arrivals, Block, Result
from loadtests.machine import Readings
from loadtests.wire import ARRIVALS
from models.cases import Case
from pipelines import batching, served
from pipelines.experiment import Workload
from pipelines.journal import ParityChecked
from pipelines.parity import compare, worst
from pipelines.sitting import Running, Sitting
from serving.errors import ServerGone

KEEP_RESPONSES = 16
"""Responses per block that are compared with the reference."""
WAKE_REQUESTS = 5
"""Requests sent, unmeasured, to a server just unfrozen: else its cold caches would show in the first answers."""


def block(
    sitting: Sitting,
    running: Running,
    arrivals: Arrivals,
    name: str,
    *,
    seed: int,
    duration_s: float,
    batch: int = 1,
) -> Block:
    """A block of this load on this server; `name` names its files in the cell's folder of samples."""
    cell = running.cell
    folder = sitting.folder.samples / cell.slug
    folder.mkdir(exist_ok=True)
    return Block(
        url=running.deployment.url,
        protocol=cell.protocol,
        model=running.served_name,
        payloads=str(payload_file(sitting, cell.model, batch)),
        arrivals=arrivals,
        duration_s=duration_s,
        seed=seed,
        samples=str(folder / f"{name}.parquet"),
    )


@dataclass(frozen=True)
class Driven:
    """What a block showed, what the server used meanwhile (None where it cannot be seen), and what others did."""

    result: Result
    server_cpu_s: float | None
    memory_peak_bytes: int | None
    seen: Readings


def run(sitting: Sitting, running: Running, block: Block) -> Driven:
    """Measure a block on a server that is awake; raises `ServerGone` or `LoadTestError`."""
    generator = sitting.generator
    before, generator_before_s = running.deployment.usage(), generator.cpu_s()
    with sitting.watch:
        result = generator.run(block)
    after, generator_after_s = running.deployment.usage(), generator.cpu_s()
    server_cpu_s = after.cpu_s - before.cpu_s if before and after else None
    seen = sitting.watch.readings(
        server_cpu_s=server_cpu_s,
        generator_cpu_s=generator_after_s - generator_before_s,
        processes_gone=len(before.processes - after.processes) if before and after else None,
    )
    return Driven(result, server_cpu_s, after.memory_peak_bytes if after else None, seen)


def spoiled(driven: Driven) -> tuple[str, ...]:
    """The gates that say the machine or the generator, not the server, spoiled the block."""
    judged = gates.judge(
        samples.figures(samples.read(driven.result.samples)),
        offered_rps=driven.result.offered_rps,
        cpu_fraction=driven.result.generator.cpu_fraction,
        machine=driven.seen,
        least_requests=1,
    )
    return tuple(gate.name for gate in judged if not gate.passed and gate.name in gates.SPOILING)


def keeping(running: Running, block: Block) -> Block:
    """The block with some of its responses kept in a file beside its samples, where they can be checked."""
    if not running.checked:
        return block
    kept = str(Path(block.samples).with_suffix(".responses.npz"))
    return replace(block, responses=kept, keep_responses=KEEP_RESPONSES)


def check_responses(sitting: Sitting, running: Running, result: Result, batch: int = 1) -> None:
    """Compare the kept responses to requests of `batch` inputs with the reference, and journal the worst.

    Raises `WrongAnswer` where one deviates.
    """
    kept = responses.load(result.responses) if result.responses else []
    if not kept:
        return
    tolerance = sitting.experiment.tolerance_of(running.cell.variant)
    axes = batching.batch_axes(running.cell.model)
    cases = batching.batched(running.cases, batch, sitting.experiment.load.seed, axes)
    pairs = [(each.outputs, cases[each.payload].outputs) for each in kept]
    read = partial(served.read, running.cell.protocol)
    found = worst([compare(read(outputs, expected), expected, tolerance, "under_load") for outputs, expected in pairs])
    sitting.journal.add(ParityChecked(cell=running.cell.id, parity=served.record(found)))
    if not found.passed:
        raise served.WrongAnswer(f"a response under load deviates from the source: {served.describe(found)}")


def arrivals(workload: Workload) -> Arrivals:
    fields = workload.arrivals.model_dump()
    return ARRIVALS[fields["kind"]](**fields)


def save_payloads(sitting: Sitting, model: str, cases: Sequence[Case]) -> None:
    """Write the requests that the model's load tests draw from: single ones, and those of each batch size asked for."""
    asked = sitting.experiment
    for batch in {1, *(workload.payload_batch for workload in asked.workloads_of(model))}:
        drawn = batching.batched(cases, batch, asked.load.seed, batching.batch_axes(model))
        payloads.save(payload_file(sitting, model, batch), [case.inputs for case in drawn])


def payload_file(sitting: Sitting, model: str, batch: int = 1) -> Path:
    return sitting.folder.samples / f"{model}.payloads{f'-batch-{batch}' if batch > 1 else ''}.npz"


@contextlib.contextmanager
def awake(running: Running) -> Iterator[None]:
    """The server runs, and answers; it is frozen again afterwards."""
    deployment = running.deployment
    deployment.resume()
    try:
        ask = served.asker(running.cell.protocol, deployment.url, running.served_name)
        for case in running.cases[:WAKE_REQUESTS]:
            ask(case)
        yield
    finally:
        with contextlib.suppress(ServerGone):
            deployment.pause()


def seed(*parts: object) -> int:
    """The same parts give the same seed, in every process and on every machine."""
    return random.Random("/".join(map(str, parts))).getrandbits(31)
