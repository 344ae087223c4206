"""The recorded schedules that an experiment replays: whether they can be, and that a resumed run has the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from loadtests import replay
from loadtests.errors import ReplayError
from loadtests.replay import Recording
from pipelines import rounds
from pipelines.errors import BadExperiment
from pipelines.experiment import Experiment, ReplayArrivals, Workload


def check(asked: Experiment) -> None:
    """Raises `BadExperiment` where a schedule to replay cannot be read, or has nothing in a block's length."""
    for _ in _all(asked):
        pass


def check_payloads(asked: Experiment, model: str, count: int) -> None:
    """Raises `BadExperiment` where a schedule for the model names a payload beyond the `count` there are."""
    for workload, recording in _all(asked):
        if workload in asked.workloads_of(model):
            try:
                recording.check_payloads(count)
            except ReplayError as exc:
                raise _refused(workload, exc) from exc


def hashes(asked: Experiment) -> dict[str, str]:
    """sha256 (hex) of each recording's file, by the name of its workload."""
    return {
        workload.name: hashlib.sha256(Path(workload.arrivals.file).read_bytes()).hexdigest()
        for workload in asked.load.workloads
        if isinstance(workload.arrivals, ReplayArrivals)
    }


def _all(asked: Experiment) -> Iterator[tuple[Workload, Recording]]:
    for workload in asked.load.workloads:
        if isinstance(workload.arrivals, ReplayArrivals):
            try:
                yield workload, replay.read(workload.arrivals.file).until(rounds.block_s(asked.load, workload))
            except ReplayError as exc:
                raise _refused(workload, exc) from exc


def _refused(workload: Workload, exc: ReplayError) -> BadExperiment:
    return BadExperiment(f"load.workloads {workload.name!r}: {exc}")
