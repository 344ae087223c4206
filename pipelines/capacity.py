"""Searches the capacity of running servers: the highest rate of open arrivals that holds the SLO."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loadtests import protocols, samples
from loadtests.block import Closed, Open
from loadtests.errors import LoadTestError
from pipelines import blocks, design, drive, history, results, served, slo, trials
from pipelines.experiment import Capacity
from pipelines.journal import TrialMeasured
from pipelines.search import LOWEST_RPS
from pipelines.sitting import Running, Sitting
from pipelines.trials import Ahead
from serving.errors import ServingError

RECOVERY_S = 10.0
"""How long a server that was overloaded is waited for until it answers as it did before."""


def search(sitting: Sitting, running: Sequence[Running]) -> None:
    """All trials of all servers of a model that the journal does not have yet, each written to it at once.

    The servers take turns, trial by trial, in balanced random order; every one is paused but the one measured.
    """
    asked = sitting.experiment.capacity_of(running[0].cell.model) if running else None
    if asked is None:
        return
    model, seed = running[0].cell.model, sitting.experiment.load.seed
    arms = {each.cell.id: each for each in running}
    for turn in itertools.count():
        events = sitting.journal.events
        failed = history.failures(events)
        ahead = [
            name
            for name, each in arms.items()
            if name not in failed and trials.next_trial(events, each.cell, sitting.experiment)
        ]
        _expect(sitting)
        if not ahead:
            return
        for name in design.order(list(arms), (seed, model, "capacity"), turn):
            if name in ahead:
                _turn(sitting, arms[name], asked)


def _expect(sitting: Sitting) -> None:
    """Tell the display how many trials are still ahead."""
    sitting.display.expect(
        "capacity", trials.trials_ahead(sitting.journal.events, sitting.plan.cells, sitting.experiment)
    )


def _turn(sitting: Sitting, server: Running, asked: Capacity) -> None:
    """One trial, of the copy whose turn it is; the cell fails where its server does not survive it."""
    cell = server.cell
    ahead = trials.next_trial(sitting.journal.events, cell, sitting.experiment)
    assert ahead is not None
    running = server.copies[len(trials.finished_trials(sitting.journal.events, cell)) % len(server.copies)]
    try:
        with drive.awake(running):
            rate_rps = ahead.rate_rps or _start_rps(sitting, running, asked)
            sitting.display.step("capacity", f"{cell.id}  {rate_rps:.4g}/s")
            at_rest_s = min(_answer_s(running) for _ in range(3))
            if ahead.rate_rps is None:
                ahead = replace(ahead, rate_rps=rate_rps, duration_s=trials.trial_s(asked, rate_rps))
            trial = _trial(sitting, running, asked, ahead)
            sitting.journal.add(trial)
            if not trial.trial.held:
                _recover(running, at_rest_s)
    except (ServingError, LoadTestError) as exc:
        sitting.fail(cell, "capacity", str(exc), exc.detail or running.deployment.logs())
    except served.WrongAnswer as exc:
        sitting.fail(cell, "capacity", f"wrong_values: {exc}")


def _trial(sitting: Sitting, running: Running, asked: Capacity, ahead: Ahead) -> TrialMeasured:
    """Raises `ServerGone`, `LoadTestError`, or `WrongAnswer` where a sampled response deviates."""
    cell = running.cell
    number = len(trials.finished_trials(sitting.journal.events, cell))
    assert ahead.rate_rps is not None
    block = drive.block(
        sitting,
        running,
        Open(ahead.rate_rps, asked.distribution),
        f"capacity-{number:03d}",
        seed=drive.seed(sitting.experiment.load.seed, cell.model, "capacity", number),
        duration_s=ahead.duration_s,
    )
    driven = drive.run(sitting, running, drive.keeping(running, block))
    drive.check_responses(sitting, running, driven.result)
    raw = samples.read(driven.result.samples)
    seen = samples.figures(raw)
    spoiled = drive.spoiled(driven)
    if spoiled == ("lag",) and not slo.kept_up(raw, asked.slo):
        spoiled = ()  # no connection was free, because the server fell behind
    if driven.seen.processes_gone:
        spoiled = (*spoiled, trials.GONE)
    return TrialMeasured(
        cell=cell.id,
        purpose=ahead.purpose,
        samples=str(Path(driven.result.samples).relative_to(sitting.folder.path)),
        duration_s=block.duration_s,
        trial=results.Trial(
            rate_rps=ahead.rate_rps,
            achieved_rps=seen.requests_per_s,
            goodput_rps=samples.goodput_rps(raw, slo.limit_ms(asked.slo)),
            requests=seen.requests,
            errors=seen.errors,
            latency_ms=blocks.percentiles(seen.latency_ms),
            held=slo.met(raw, asked.slo),
            generator=results.Generator(lag_p99_ms=seen.lag_ms.p99, cpu_fraction=driven.result.generator.cpu_fraction),
            valid=not spoiled,
        ),
        spoiled=spoiled,
    )


def _start_rps(sitting: Sitting, running: Running, asked: Capacity) -> float:
    """Half of what two clients reach that send as soon as they are answered: not far, and on the safe side."""
    sitting.display.step("capacity", f"{running.cell.id}  two closed clients")
    block = drive.block(sitting, running, Closed(users=2), "capacity-start", seed=0, duration_s=asked.trial_s)
    achieved_rps = sitting.generator.run(block).achieved_rps
    Path(block.samples).unlink()
    return max(LOWEST_RPS, achieved_rps / 2)


def _recover(running: Running, at_rest_s: float) -> None:
    """Wait until an answer takes no more than twice as long as at rest, `RECOVERY_S` at most.

    A queue that is still served would be booked to the next trial.
    """
    until = time.perf_counter() + RECOVERY_S
    while time.perf_counter() < until:
        with contextlib.suppress(LoadTestError):
            if _answer_s(running) <= 2 * at_rest_s:
                return


def _answer_s(running: Running) -> float:
    """How long the server takes for one request; raises `ProtocolError` or `NotReady`."""
    client, deployment = protocols.load(running.cell.protocol), running.deployment
    began_s = time.perf_counter()
    client.infer(deployment.url, running.served_name, running.cases[0].inputs, RECOVERY_S)
    return time.perf_counter() - began_s
