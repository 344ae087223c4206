"""The order of blocks, the choice of rounds, repeats and resumption, on a generator that measures nothing."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import yaml
from rich.console import Console

from loadtests import recorder, responses
from loadtests.block import Block, GeneratorUse, Result
from loadtests.launch import Generator
from loadtests.machine import Readings
from loadtests.samples import Samples
from models.cases import Case
from pipelines import drive, experiments, history, measure, rounds, sitting
from pipelines.errors import OutputUnwritable
from pipelines.journal import BlockMeasured, Journal, RoundMeasured, RoundsChosen, read
from pipelines.plan import Cell, Plan
from pipelines.progress import Display, TimeLeft
from pipelines.sitting import Running, Sitting
from pipelines.store import RunFolder
from serving.engines.contract import Budget, Engine, Usage

CASES = [Case({"x": np.ones((1, 2), np.float32)}, {"y": np.full((1, 1), 3.0, np.float32)})]
CELLS = tuple(Cell("m", "torch", name, "fp32", "s", "oip-http") for name in ("a", "b", "c"))


class Server:
    """Uses 1 ms of CPU a request, spread as told."""

    def __init__(self, seed: int, port: int = 1) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.cpu_s = 0.0
        self._spread = np.random.default_rng(seed)

    def usage(self) -> Usage:
        self.cpu_s += 0.1 * float(np.exp(self._spread.normal(0, 0.01)))
        return Usage(self.cpu_s, 1, 1, frozenset())

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def logs(self, lines: int = 40) -> str:  # noqa: ARG002 - the contract's
        return ""


class Instantly:
    """A generator that answers at once with 100 requests of 1 ms; `late`: its first so many blocks left 50 ms late."""

    cpus = ()

    def __init__(self, late: int = 0, answer: float = 3.0, stop_after: int | None = None) -> None:
        self.late, self.answer, self.stop_after = late, answer, stop_after
        self.blocks: list[Block] = []

    def cpu_s(self) -> float:
        return 0.0

    def run(self, block: Block) -> Result:
        if len(self.blocks) == self.stop_after:
            raise KeyboardInterrupt
        self.blocks.append(block)
        intended = np.linspace(0, block.duration_s, 100, endpoint=False)
        sent = intended + (0.05 if len(self.blocks) <= self.late else 0.0)
        seen = Samples(
            payload=np.zeros(100, np.int32),
            intended=intended,
            sent=sent,
            end=sent + 0.001,
            ok=np.ones(100, np.bool_),
            status=np.full(100, 200, np.int16),
            response_bytes=np.ones(100, np.int64),
            duration_s=block.duration_s,
            open=True,
        )
        recorder.write(block.samples, seen)
        assert block.responses is not None
        responses.save(block.responses, [(0, {"y": np.full((1, 1), self.answer, np.float32)})])
        return Result(None, 100.0, 100, 0, (), GeneratorUse(0.1, block.duration_s), block.samples, block.responses)


class Unwatched(contextlib.nullcontext[None]):
    """A machine that tells nothing."""

    def readings(self, **used: object) -> Readings:  # noqa: ARG002 - the contract's
        return Readings()


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def awake(running: Running) -> Iterator[None]:  # noqa: ARG001 - the contract's
        yield

    monkeypatch.setattr(drive, "awake", awake)
    monkeypatch.setattr(sitting, "Watch", lambda *cpus: Unwatched())  # noqa: ARG005


def sit(folder: Path, generator: Instantly, copies: int = 1, **load: object) -> Journal:
    """One sitting on the three cells; an interrupt ends it. Copy n of each is at port n."""
    workloads = [{"name": "steady", "arrivals": {"kind": "closed", "users": 1}}]
    fields = {"name": "t", "models": ["m"], "formats": ["onnx"], "load": {"workloads": workloads, "block_s": 1, **load}}
    asked = experiments.parse(yaml.safe_dump(fields), "test")
    (folder / "samples").mkdir(exist_ok=True)
    servers = [
        Running(cell, "m", Server(seed), CASES, others=tuple(Server(seed, port) for port in range(2, copies + 1)))
        for seed, cell in enumerate(CELLS)
    ]
    with Journal(folder / "journal.jsonl") as journal:
        display = Display(Console(file=io.StringIO()), TimeLeft({}, {}))
        stretch = Sitting(
            asked,
            Plan(CELLS, (), 0.0),
            RunFolder(folder),
            journal,
            cast(Engine, None),
            Budget((), 1, 1),
            cast(Generator, generator),
            display,
        )
        standing = [each for each in servers if each.cell.id not in history.failures(journal.events)]
        with contextlib.suppress(KeyboardInterrupt):
            measure.measure(stretch, standing)
    return journal


def blocks(journal: Journal) -> list[tuple[str, int, int]]:
    return [(e.cell, e.round, e.attempt) for e in journal.events if isinstance(e, BlockMeasured)]


def chosen(journal: Journal) -> list[int]:
    return [event.rounds for event in journal.events if isinstance(event, RoundsChosen)]


def test_a_pilot_chooses_the_rounds_and_every_cell_gets_them(tmp_path: Path) -> None:
    journal = sit(tmp_path, Instantly(), budget_s=60)
    (count,) = chosen(journal)
    assert count == 12  # 8 s, in whole squares of three cells
    assert sorted(blocks(journal)) == sorted((cell.id, r, 0) for cell in CELLS for r in range(count))


def test_the_budget_bounds_what_the_pilot_asks_for(tmp_path: Path) -> None:
    assert chosen(sit(tmp_path, Instantly(), budget_s=5 * 3)) == [5]
    (tmp_path / "short").mkdir()
    assert chosen(sit(tmp_path / "short", Instantly(), budget_s=1)) == [rounds.PILOT]


def test_every_cell_gets_the_same_requests_in_a_round(tmp_path: Path) -> None:
    generator = Instantly()
    sit(tmp_path, generator, rounds=4)
    seeds = [{block.seed for block in generator.blocks[3 * r : 3 * r + 3]} for r in range(4)]
    assert all(len(seed) == 1 for seed in seeds)
    assert len(set.union(*seeds)) == 4


def test_the_copies_of_every_cell_take_turns_round_by_round(tmp_path: Path) -> None:
    generator = Instantly()
    journal = sit(tmp_path, generator, copies=2, rounds=8)
    ports = [block.url[-1] for block in generator.blocks]
    assert [set(ports[3 * round_ : 3 * round_ + 3]) for round_ in range(8)] == [{each} for each in "12121221"]
    copies = [event.server_copy for event in journal.events if isinstance(event, BlockMeasured)]
    assert [str(copy + 1) for copy in copies] == ports


@pytest.mark.parametrize("after", [2, 12, 14])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path, after: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    straight = sit(whole, Instantly(), budget_s=60)
    sit(tmp_path, Instantly(stop_after=after), budget_s=60)
    resumed = sit(tmp_path, Instantly(), budget_s=60)
    assert blocks(resumed) == blocks(straight)
    assert chosen(resumed) == chosen(straight)


def test_a_spoiled_block_is_repeated_with_all_cells_and_only_so_often(tmp_path: Path) -> None:
    once = sit(tmp_path, Instantly(late=1), rounds=2)
    assert [attempt for _, round_, attempt in blocks(once) if round_ == 0] == [0, 0, 0, 1, 1, 1]
    (tmp_path / "always").mkdir()
    always = sit(tmp_path / "always", Instantly(late=100), rounds=2, max_repeats=2)
    assert sum(event.repeat for event in always.events if isinstance(event, RoundMeasured)) == 2
    assert len(blocks(always)) == 3 * (2 + 2)


def test_a_full_disk_is_no_cells_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(OutputUnwritable, match=r"is full; free some space, then continue: a run by --resume"):
        sit(tmp_path, Instantly(answer=3.1), rounds=2)  # which fails otherwise
    monkeypatch.undo()
    assert not history.failures(read(tmp_path / "journal.jsonl"))


def test_a_wrong_response_under_load_fails_the_cell(tmp_path: Path) -> None:
    failed = history.failures(sit(tmp_path, Instantly(answer=3.1), rounds=2).events)
    assert set(failed) == {cell.id for cell in CELLS}
    assert all("wrong_values: a response under load deviates" in failure.reason for failure in failed.values())
