"""Measures servers that already run, as a run measures its own: its order, gates, repeats, results; no exports."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtests import protocols, samples
from loadtests.errors import ProtocolError
from loadtests.launch import Generator
from loadtests.payloads import Tensors
from loadtests.untyped import fit
from models.cases import Case
from pipelines import capacity, cores, drive, journal, measure, parity, results, warm_up
from pipelines.assemble import Facts, assemble
from pipelines.experiment import Experiment, Load
from pipelines.journal import Journal
from pipelines.journal import Sitting as SittingEnded
from pipelines.plan import Cell, Plan, measuring_s
from pipelines.progress import BLOCK_OVERHEAD_S, Display, TimeLeft
from pipelines.served import TIMEOUT_S
from pipelines.sitting import Running, Sitting
from pipelines.store import RunFolder
from serving.engines.contract import Budget, Engine, Usage

EXTERNAL = "external"
"""The engine of what was not deployed here."""
NOWHERE = "-"
"""Framework, format and variant of what was not exported here."""


@dataclass(frozen=True)
class Standing:
    """A server that runs whatever we do: it is neither frozen nor ended."""

    url: str
    read_usage: Callable[[], Usage | None] = lambda: None

    def usage(self) -> Usage | None:
        """As `read_usage` has it: None where it cannot be seen."""
        return self.read_usage()

    def pause(self) -> None:
        """It rests as long as nobody asks it."""

    def resume(self) -> None:
        """It was not paused."""

    def logs(self, lines: int = 40) -> str:  # noqa: ARG002 - the contract's
        """They are its owner's."""
        return ""


@dataclass(frozen=True)
class Bench:
    """What the servers are measured with."""

    folder: RunFolder
    generator: Generator
    engine: Engine
    server_cpus: tuple[int, ...]
    """The cores the servers are on; empty where that is not known."""


def cell(model: str, server: str, protocol: str) -> Cell:
    """The row of results of a server that was not deployed by a run."""
    return Cell(model, NOWHERE, NOWHERE, NOWHERE, server, protocol)


def running(cell: Cell, copies: Sequence[Standing], served_name: str, inputs: Sequence[Tensors]) -> Running:
    """The server with its answers at rest, which its answers under load are held against; its copies take turns.

    Where it answers the same request differently, nothing can be held against it. Raises `ProtocolError` with the
    server's words where it refuses a request, and `NotReady` where it does not answer.
    """
    client, (first, *others) = protocols.load(cell.protocol), copies
    url = first.url
    cases = [Case(each, client.infer(url, served_name, each, TIMEOUT_S)) for each in inputs]
    if not all(case.outputs for case in cases):
        raise ProtocolError("an answer has no outputs")
    again = client.infer(url, served_name, inputs[0], TIMEOUT_S)
    steady = parity.compare(fit(again, cases[0].outputs), cases[0].outputs, parity.TOLERANCE).passed
    return Running(cell, served_name, first, cases, checked=steady, others=tuple(others))


def experiment(name: str, model: str, protocol: str, load: Load) -> Experiment:
    """The experiment that a sitting on servers of that model is part of."""
    return Experiment(name=name, models=(model,), formats=(NOWHERE,), protocols=(protocol,), load=load)


def sit(asked: Experiment, servers: Sequence[Running], bench: Bench, display: Display) -> None:
    """Warm up and measure, all into the journal; an interrupt passes, and what was finished before it is there.

    The servers are those of one model, and get the same requests.
    """
    cells = [each.cell for each in servers]
    began_s = time.perf_counter()
    with Journal(bench.folder.journal) as log:
        sitting = Sitting(
            asked,
            _plan(asked, cells),
            bench.folder,
            log,
            bench.engine,
            Budget(bench.server_cpus, memory_bytes=0, pids=0),
            bench.generator,
            display,
        )
        drive.save_payloads(sitting, cells[0].model, servers[0].cases)
        try:
            with cores.measuring(bench.generator.cpus):
                if warm := warm_up.warm_up(sitting, servers):
                    measure.measure(sitting, warm)
                    capacity.search(sitting, warm)
        finally:
            log.add(SittingEnded(seconds=time.perf_counter() - began_s))


def assembled(
    asked: Experiment, cells: Sequence[Cell], folder: RunFolder, environment: Mapping[str, Any]
) -> results.Results:
    """What the journal of such a sitting says."""
    facts = Facts(folder.id, EXTERNAL, asked, dict(environment))
    events = journal.read(folder.journal)
    found = assemble(facts, _plan(asked, cells), events, lambda name: samples.read(folder.path / name))
    return found.model_copy(update={"cells": tuple(map(_not_resumable, found.cells))})


def _not_resumable(cell: results.Cell) -> results.Cell:
    """A cell cut off says so, and does not promise what only a run can do."""
    if cell.reason and cell.status == "failed" and cell.stage is None:
        return cell.model_copy(update={"reason": cell.reason.partition(";")[0]})
    return cell


def _plan(asked: Experiment, cells: Sequence[Cell]) -> Plan:
    return Plan(tuple(cells), (), measuring_s(asked, cells))


def time_left(asked: Experiment, servers: int) -> TimeLeft:
    """The steps of such a sitting."""
    load = asked.load
    blocks = measuring_s(asked, [cell(asked.models[0], str(index), "-") for index in range(servers)]) / load.block_s
    guess_s = {"warm-up": load.warmup_s + BLOCK_OVERHEAD_S, "block": load.block_s + BLOCK_OVERHEAD_S}
    return TimeLeft({"warm-up": servers, "block": round(blocks)}, guess_s)
