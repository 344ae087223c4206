"""A capacity search on a real server of known ceiling, from its warm-up to its results."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from loadtests.launch import Generator
from pipelines import bench, drive, experiment
from pipelines.progress import Display
from pipelines.store import RunFolder
from serving import engines

CEILING_RPS = 200
LOAD = {
    "rounds": 1,
    "block_s": 0.5,
    "warmup_s": 0.5,
    "workloads": [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": 50}}],
    "capacity": [{"slo": {"p90_ms": 50}, "distribution": "constant", "trial_s": 0.7, "replicates": 2, "curve": False}],
}


@pytest.mark.slow
def test_one_worker_of_five_milliseconds_is_never_said_to_serve_more_than_200_a_second(
    serving: Callable[[str], AbstractContextManager[str]],
    generator: Generator,
    inputs: list[dict[str, np.ndarray]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Neighbours on this machine may slow a trial down, but can make none hold that should not: all of them count.
    monkeypatch.setattr(drive, "spoiled", lambda _: ())
    asked = bench.experiment("ceiling", "m", "oip-http", experiment.Load.model_validate(LOAD))
    folder = RunFolder(tmp_path)
    folder.samples.mkdir()
    cell = bench.cell("m", "one_worker", "oip-http")
    on = bench.Bench(folder, generator, engines.load("process", tmp_path, tmp_path), (min(os.sched_getaffinity(0)),))
    with serving("one_worker") as url, Display(Console(quiet=True), bench.time_left(asked, 1)) as display:
        bench.sit(asked, [bench.running(cell, [bench.Standing(url)], "m", inputs)], on, display)
    [found] = bench.assembled(asked, [cell], folder, {}).cells
    assert found.capacity
    assert found.capacity.rps, found.capacity.reason
    assert found.capacity.rps <= 1.05 * CEILING_RPS
    assert not any(trial.held for trial in found.capacity.trials if trial.rate_rps > 1.1 * CEILING_RPS)
    assert any(trial.held for trial in found.capacity.trials)
    assert all(trial.goodput_rps <= 1.1 * CEILING_RPS for trial in found.capacity.trials)
