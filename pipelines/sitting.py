"""What one sitting of a run works with: the experiment, where it keeps things, and what it measures on."""

from __future__ import annotations

from dataclasses import dataclass

from loadtests.launch import Generator
from models.cases import Reference
from pipelines import history
from pipelines.artifacts import Artifact
from pipelines.experiment import Experiment
from pipelines.journal import Failed, Journal
from pipelines.plan import Cell, Plan
from pipelines.progress import Display
from pipelines.results import Stage
from pipelines.store import RunFolder
from serving.catalog import Server
from serving.engines.contract import Budget, Deployment, Engine, Prepared


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

    def fail(self, cell: Cell, stage: Stage, reason: str, detail: str = "") -> None:
        """The cell goes no further; the run does."""
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


@dataclass(frozen=True)
class Running:
    """A candidate whose server is up; it is paused whenever another one is measured."""

    candidate: Candidate
    deployment: Deployment

    @property
    def cell(self) -> Cell:
        return self.candidate.cell

    @property
    def served_name(self) -> str:
        return self.candidate.artifact.manifest.id
