"""Trials of a capacity search on a server that runs: what ends the search, though the server answers in time."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import yaml
from rich.console import Console

from loadtests.launch import Generator
from models.cases import Case
from pipelines import burner, capacity, drive, experiments, history, trials
from pipelines.bench import Standing
from pipelines.environment import usable_cpus
from pipelines.journal import AnyEvent, Journal, ParityChecked, TrialMeasured
from pipelines.plan import Cell, Plan
from pipelines.progress import Display, TimeLeft
from pipelines.sitting import Running, Sitting
from pipelines.store import RunFolder
from serving.engines.contract import Budget, Engine, Usage

CPUS = tuple(usable_cpus())
CELL = Cell(burner.MODEL, "torch", "onnx", "fp32", "s", "oip-http")
ASKED = experiments.parse(
    yaml.safe_dump(
        {
            "name": "t",
            "models": [burner.MODEL],
            "formats": ["onnx"],
            "load": {
                "workloads": [{"name": "closed", "arrivals": {"kind": "closed", "users": 1}}],
                "capacity": [{"slo": {"p50_ms": 1000}, "start_rps": 40, "trial_s": 0.5, "curve": False}],
            },
        }
    ),
    "test",
)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with burner.running(1, CPUS[-1:], tmp_path_factory.mktemp("burner") / "burner.log") as server:
        yield server.url


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    with Generator(CPUS[:1], tmp_path_factory.mktemp("generator") / "generator.log") as generator:
        yield generator


def searched(folder: Path, generator: Generator, server: Standing, right: float = 1.0) -> list[AnyEvent]:
    """One search on the echo server, which is asked for ones; `right`: what its answers are held against."""
    ones = np.ones(burner.SHAPE, np.float32)
    cases = [Case({burner.INPUT: ones}, {burner.OUTPUT: ones * right})]
    (folder / "samples").mkdir()
    with Journal(folder / "journal.jsonl") as journal:
        sitting = Sitting(
            ASKED,
            Plan((CELL,), (), 0.0),
            RunFolder(folder),
            journal,
            cast(Engine, None),
            Budget(CPUS[-1:], 1, 1),
            generator,
            Display(Console(file=io.StringIO()), TimeLeft({}, {})),
        )
        drive.save_payloads(sitting, CELL.model, cases)
        capacity.search(sitting, [Running(CELL, burner.MODEL, server, cases)])
    return journal.events


def losing_a_process() -> Callable[[], Usage]:
    """The usage of a server that has one process less, each time it is read."""
    left = (frozenset((pid, 0.0) for pid in range(count)) for count in itertools.count(100, -1))
    return lambda: Usage(0.0, 1, 1, next(left))


def test_a_process_of_the_server_that_ends_in_a_trial_is_seen(tmp_path: Path, generator: Generator, echo: str) -> None:
    events = searched(tmp_path, generator, Standing(echo, losing_a_process()))
    (trial,) = [event for event in events if isinstance(event, TrialMeasured)]
    assert trials.GONE in trial.spoiled
    assert not trial.trial.valid
    found = trials.of_cell(CELL, ASKED, events)
    assert found
    assert "look at the server's log" in (found.reason or "")
    assert not history.failures(events)


def test_a_wrong_response_in_a_trial_fails_the_cell(tmp_path: Path, generator: Generator, echo: str) -> None:
    events = searched(tmp_path, generator, Standing(echo), right=1.1)
    assert not [event for event in events if isinstance(event, TrialMeasured)]
    failed = history.failures(events)[CELL.id]
    assert failed.stage == "capacity"
    assert "wrong_values: a response under load deviates from the source: relative error 0.0909" in failed.reason


def test_the_responses_of_every_trial_are_checked(tmp_path: Path, generator: Generator, echo: str) -> None:
    events = searched(tmp_path, generator, Standing(echo, losing_a_process()))
    assert [event.parity.hop for event in events if isinstance(event, ParityChecked)] == ["under_load"]
    assert not history.failures(events)
