"""Loads servers unmeasured until their figures no longer move: warm-up ended by evidence, not by the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from loadtests import samples
from loadtests.block import Arrivals, Closed, Open
from loadtests.errors import LoadTestError
from loadtests.samples import Samples
from pipelines import blocks, drive, results
from pipelines.experiment import Workload
from pipelines.journal import WarmedUp
from pipelines.sitting import Running, Sitting
from serving.errors import ServingError

WINDOW_S = 0.5
"""Shared by the workloads; a fifth of `warmup_s` where that is shorter."""
LEAST_WINDOWS = 4
TREND = 0.05


@dataclass(frozen=True)
class Window:
    """What one stretch of all workloads showed; None where it is unknown, or nothing was answered."""

    cpu_ms_per_request: float | None
    p50_ms: float | None
    mute: bool = False
    """Whether there were requests, and none was answered rightly."""


def stationary(windows: Sequence[Window]) -> bool:
    """Whether the last four windows show no trend: the mean of the last two within 5 % of that of the two before.

    Judged by CPU per request, which other programs hardly disturb, and by p50 where CPU is not known.
    """
    last = windows[-LEAST_WINDOWS:]
    if len(last) < LEAST_WINDOWS:
        return False
    for seen in ([each.cpu_ms_per_request for each in last], [each.p50_ms for each in last]):
        known = [value for value in seen if value]
        if len(known) == LEAST_WINDOWS:
            return abs(fmean(known[2:]) / fmean(known[:2]) - 1) <= TREND
    return False


def warm_up(sitting: Sitting, running: Sequence[Running]) -> list[Running]:
    """Load each server until it is stationary, `warmup_s` at most; returns those that hold out.

    One that never becomes stationary is measured all the same, and its cell's `warm_up` says so.
    """
    warm = []
    for each in running:
        sitting.display.step("warm-up", each.cell.id)
        try:
            found = _longest([_warm_up(sitting, copy) for copy in each.copies])
        except (ServingError, LoadTestError) as exc:
            sitting.fail(each.cell, "warm-up", str(exc), exc.detail)
        else:
            sitting.journal.add(WarmedUp(cell=each.cell.id, warm_up=found))
            warm.append(each)
    return warm


def _longest(copies: Sequence[results.WarmUp]) -> results.WarmUp:
    """One for all copies: as long as the longest took, and stationary where all became so."""
    longest = max(copies, key=lambda each: each.seconds)
    return longest.model_copy(update={"stationary": all(each.stationary for each in copies)})


def _warm_up(sitting: Sitting, running: Running) -> results.WarmUp:
    longest_s = sitting.experiment.load.warmup_s
    window_s = min(WINDOW_S, longest_s / (LEAST_WINDOWS + 1))
    most = round(longest_s / window_s)
    windows: list[Window] = []
    with drive.awake(running):
        while len(windows) < most and not stationary(windows) and not _mute(windows):
            windows.append(_window(sitting, running, window_s))
    return results.WarmUp(seconds=len(windows) * window_s, windows=len(windows), stationary=stationary(windows))


def _mute(windows: Sequence[Window]) -> bool:
    """Whether every request of the last two windows failed: to wait for those of many more would take minutes."""
    return len(windows) > 1 and all(each.mute for each in windows[-2:])


def _window(sitting: Sitting, running: Running, window_s: float) -> Window:
    workloads = sitting.experiment.workloads_of(running.cell.model)
    before = running.deployment.usage()
    seen = samples.figures(*(_part(sitting, running, workload, window_s / len(workloads)) for workload in workloads))
    after = running.deployment.usage()
    cpu_s = after.cpu_s - before.cpu_s if before and after else None
    mute = 0 < seen.requests == seen.errors
    return Window(blocks.cpu_ms_per_request(cpu_s, seen), seen.latency_ms.p50, mute)


def _part(sitting: Sitting, running: Running, workload: Workload, duration_s: float) -> Samples:
    block = drive.block(
        sitting, running, _steady(workload), "warm-up", seed=0, duration_s=duration_s, batch=workload.payload_batch
    )
    sitting.generator.run(block)
    seen = samples.read(block.samples)
    Path(block.samples).unlink()
    return seen


def _steady(workload: Workload) -> Arrivals:
    """The workload's own arrivals; one closed user where their rate changes, and a short window may hold no request."""
    arrivals = drive.arrivals(workload)
    return arrivals if isinstance(arrivals, Closed | Open) else Closed(users=1)
