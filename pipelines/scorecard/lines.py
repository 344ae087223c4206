"""What a scorecard is made of: paths, the two sides of a line, lines, and the four rows above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Axis = Literal["reach", "fidelity", "footprint", "speed"]
AXES: tuple[Axis, ...] = ("reach", "fidelity", "footprint", "speed")
FRAMEWORKS = {"torch": "PyTorch", "tensorflow": "TensorFlow"}


@dataclass(frozen=True)
class Path:
    """One way to production, by its cell, and its figure."""

    cell: str
    label: str
    """The format, with the server where there is more than one."""
    value: float
    at_least: bool = False
    """The figure is a lower bound: more was not tried."""


@dataclass(frozen=True)
class Side:
    """One framework's figures on one line: all paths that have one, best first."""

    paths: tuple[Path, ...]
    tried: int
    """How many paths were tried, with or without a figure here."""

    @property
    def best(self) -> Path | None:
        return self.paths[0] if self.paths else None


@dataclass(frozen=True)
class Line:
    """One metric of one model, in both frameworks. `leader` is None where no difference is shown."""

    axis: Axis
    metric: str
    unit: str
    headline: bool
    """Whether it stands in the scorecard's row; else only among its details."""
    model: str
    workload: str | None
    """What it was measured under: a workload, or a capacity's SLO."""
    torch: Side
    tensorflow: Side
    leader: str | None
    factor: float | None
    """How many times better the leader's best path is (≥ 1)."""
    evidence: str
    """What the lead rests on, or why none is shown."""

    @property
    def name(self) -> str:
        """The metric, with the workload where it depends on one."""
        return f"{self.metric}, {self.workload}" if self.workload else self.metric

    @property
    def bounded(self) -> bool:
        """Whether the lead rests on a figure that is only a lower bound, and so is one itself."""
        return any(side.best is not None and side.best.at_least for side in (self.torch, self.tensorflow))

    def side(self, framework: str) -> Side:
        return self.torch if framework == "torch" else self.tensorflow


@dataclass(frozen=True)
class Gap:
    """What was not judged of one model on one axis, and why."""

    axis: Axis
    model: str
    workloads: tuple[str, ...]
    """Those that were not judged; empty where the axis was not judged at all."""
    why: str


@dataclass(frozen=True)
class AxisRow:
    """One axis: its headline lines, those of one metric together."""

    axis: Axis
    metrics: tuple[tuple[Line, ...], ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Scorecard:
    rows: tuple[AxisRow, ...]
    """One an axis, in the order of `AXES`: what a reader sees first."""
    lines: tuple[Line, ...]
    """All of them, also those that are no headline."""
    verdicts: dict[str, str]
    """One sentence a model."""
