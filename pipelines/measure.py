"""Measures running servers in interleaved blocks of balanced random order, every one paused but the one measured."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

from loadtests import samples
from loadtests.errors import LoadTestError
from pipelines import blocks, design, drive, history, results, rounds, served
from pipelines.experiment import Workload
from pipelines.journal import BlockMeasured, RoundMeasured, RoundsChosen
from pipelines.sitting import Running, Sitting
from serving.errors import ServingError


def measure(sitting: Sitting, running: Sequence[Running]) -> None:
    """All rounds of all workloads that the journal does not have yet, each finished block written to it at once."""
    model, seed = running[0].cell.model, sitting.experiment.load.seed
    workloads = sitting.experiment.workloads_of(model)
    arms = [each.cell.id for each in running]
    standing = list(running)
    for round_ in itertools.count():
        ahead = [workload for workload in workloads if standing and round_ < _rounds(sitting, standing, workload)]
        if not ahead:
            return
        for workload in design.order(workloads, (seed, model), round_):
            order = design.order(arms, (seed, model, workload.name), round_)
            copy = design.turn(len(arms), len(running[0].copies), round_)
            while (
                standing and workload in ahead and (attempt := _attempt(sitting, model, workload, round_)) is not None
            ):
                standing = _round(sitting, _in_order(standing, order), copy, workload, round_, attempt)


def _rounds(sitting: Sitting, standing: Sequence[Running], workload: Workload) -> int:
    """The rounds asked for or chosen; the pilot's until it is over, when the number is chosen and journalled."""
    asked, journal, model = sitting.experiment, sitting.journal, standing[0].cell.model
    chosen = history.chosen_rounds(journal.events, model, workload.name, asked)
    if chosen is not None:
        return chosen
    least = rounds.pilot(asked.load, workload, len(standing))
    if any(_attempt(sitting, model, workload, round_) is not None for round_ in range(least)):
        return least
    pilot = {each.cell.id: _figures(sitting, each, workload) for each in standing}
    most = rounds.most(asked.load, workload, len(standing))
    chosen = rounds.wanted(pilot, closed=workload.arrivals.kind == "closed", most=most, least=least)
    journal.add(RoundsChosen(model=model, workload=workload.name, rounds=chosen))
    sitting.recount()
    sitting.display.say(f"rounds    {model} {workload.name}: {chosen} of at most {most}, by the spread of {least}")
    return chosen


def _figures(sitting: Sitting, running: Running, workload: Workload) -> list[results.BlockFigures]:
    counting = history.counting_blocks(sitting.journal.events, running.cell.id, workload.name)
    return [
        blocks.of_event(event, samples.figures(samples.read(sitting.folder.path / event.samples))) for event in counting
    ]


def _attempt(sitting: Sitting, model: str, workload: Workload, round_: int) -> int | None:
    return history.attempt(sitting.journal.events, model, workload.name, round_)


def _in_order(standing: Sequence[Running], order: Sequence[str]) -> list[Running]:
    return sorted(standing, key=lambda each: order.index(each.cell.id))


def _round(
    sitting: Sitting, running: Sequence[Running], copy: int, workload: Workload, round_: int, attempt: int
) -> list[Running]:
    """One block of that copy of each, in the order given; returns those still standing."""
    load, model = sitting.experiment.load, running[0].cell.model
    standing = []
    for each in running:
        if each.cell.id in history.measured(sitting.journal.events, workload.name, round_, attempt):
            standing.append(each)
            continue
        sitting.display.step("block", f"{each.cell.id}  {workload.name}, round {round_ + 1}")
        try:
            _measure_block(sitting, each, copy, workload, round_, attempt)
        except (ServingError, LoadTestError) as exc:
            sitting.fail(each.cell, "load", str(exc), exc.detail or each.deployment.logs())
        except served.WrongAnswer as exc:
            sitting.fail(each.cell, "load", f"wrong_values: {exc}")
        else:
            standing.append(each)
    measured = history.measured(sitting.journal.events, workload.name, round_, attempt)
    spoiled = sorted({gate for each in standing for gate in measured[each.cell.id].spoiled})
    repeat = bool(spoiled) and history.repeats(sitting.journal.events, model, workload.name) < load.max_repeats
    sitting.journal.add(
        RoundMeasured(model=model, workload=workload.name, round=round_, attempt=attempt, repeat=repeat)
    )
    if repeat:
        sitting.display.say(f"repeat    {model} {workload.name}, round {round_ + 1}: gate {', '.join(spoiled)}")
        sitting.recount()
    return standing


def _measure_block(sitting: Sitting, server: Running, copy: int, workload: Workload, round_: int, attempt: int) -> None:
    """Raises `ServerGone`, `LoadTestError`, or `WrongAnswer` where a sampled response deviates."""
    running, cell, load = server.copies[copy], server.cell, sitting.experiment.load
    with drive.awake(running):
        block = drive.block(
            sitting,
            running,
            drive.arrivals(workload),
            f"{workload.name}-r{round_:02d}-a{attempt}",
            seed=drive.seed(load.seed, cell.model, workload.name, round_),
            duration_s=rounds.block_s(load, workload),
            batch=workload.payload_batch,
        )
        driven = drive.run(sitting, running, drive.keeping(running, block))
    result = driven.result
    drive.check_responses(sitting, running, result, workload.payload_batch)
    event = BlockMeasured(
        cell=cell.id,
        workload=workload.name,
        round=round_,
        attempt=attempt,
        server_copy=copy,
        samples=str(Path(result.samples).relative_to(sitting.folder.path)),
        offered_rps=result.offered_rps,
        duration_s=block.duration_s,
        wall_s=result.generator.wall_s,
        server_cpu_s=driven.server_cpu_s,
        memory_peak_bytes=driven.memory_peak_bytes,
        generator_cpu_fraction=result.generator.cpu_fraction,
        error_kinds={kind.kind: kind.count for kind in result.error_kinds},
        machine=results.Machine(**dataclasses.asdict(driven.seen)),
        spoiled=drive.spoiled(driven),
    )
    sitting.journal.add(event)
