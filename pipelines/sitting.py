"""What one sitting of a run works with: the experiment, where it keeps things, and what it measures on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from loadtests.launch import Generator
from loadtests.machine import Watch
from models.cases import Case, Reference
from pipelines import history, store
from pipelines.artifacts import Artifact
from pipelines.experiment import Experiment
from pipelines.journal import Failed, Journal
from pipelines.plan import Cell, Plan
from pipelines.progress import Display
from pipelines.results import Stage
from pipelines.store import RunFolder
from serving.catalog import Server
from serving.engines.contract import Budget, Engine, Prepared, Usage

LONGEST_REASON, LONGEST_DETAIL = 1_000, 20_000
"""Characters of what is kept of a failure: a converter may say megabytes."""


@dataclass(frozen=True)
class Sitting:
    """One stretch of work on a run, from its start or resumption to its end."""

    experiment: Experiment
    plan: Plan
    folder: RunFolder
    journal: Journal
    engine: Engine
    budget: Budget
    generator: Generator
    display: Display

    @cached_property
    def watch(self) -> Watch:
        """One for the whole sitting: it remembers the highest clock."""
        return Watch(self.budget.cpus, self.generator.cpus)

    def fail(self, cell: Cell, stage: Stage, reason: str, detail: str = "") -> None:
        """The cell goes no further; the run does. Raises `OutputUnwritable` where the disk is full: no cell's fault."""
        store.require_space(self.folder.path)
        reason, detail = reason[:LONGEST_REASON], detail[-LONGEST_DETAIL:]
        self.journal.add(Failed(cell=cell.id, stage=stage, reason=reason, detail=detail))
        self.recount()
        self.display.say(f"failed    {cell.id}  {stage}: {reason}")

    def recount(self) -> None:
        """Tell the display how many blocks are still ahead: a cell failed, a round repeats, a pilot has chosen."""
        self.display.expect("block", history.blocks_ahead(self.journal.events, self.plan.cells, self.experiment))


@dataclass(frozen=True)
class Candidate:
    """A cell whose artifact is verified and whose server can be started."""

    cell: Cell
    artifact: Artifact
    server: Server
    prepared: Prepared
    reference: Reference


class Endpoint(Protocol):
    """A server that can be loaded: a `Deployment` of ours, or one that somebody else runs."""

    @property
    def url(self) -> str:
        """Where it answers."""

    def usage(self) -> Usage | None:
        """CPU and memory; None where they cannot be seen. Raises `ServerGone` where the server has ended."""

    def pause(self) -> None:
        """Freeze it, where it is ours."""

    def resume(self) -> None:
        """Undo `pause`."""

    def logs(self, lines: int = 40) -> str:
        """The tail of what it wrote, where that is known."""


@dataclass(frozen=True)
class Running:
    """A server that is up, maybe in several copies; each is paused whenever another one is measured."""

    cell: Cell
    served_name: str
    deployment: Endpoint
    cases: Sequence[Case]
    """What it is asked under load, and the right answers."""
    checked: bool = True
    """Whether sampled responses are compared with them: not where equal requests get different answers."""
    others: tuple[Endpoint, ...] = ()
    """Further copies of `deployment`, each started by itself: one may be slower than another as long as it lives."""

    @property
    def copies(self) -> tuple[Running, ...]:
        """Each copy as a server that is measured by itself."""
        return tuple(replace(self, deployment=each, others=()) for each in (self.deployment, *self.others))
