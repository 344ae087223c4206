"""Shows where a run is: a live bar with stage, cell and time left, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipelines import history, rounds, trials
from pipelines.experiment import Experiment
from pipelines.figures import duration
from pipelines.journal import AnyEvent
from pipelines.plan import Plan

FIRST_GUESS_S = {"prepare": 0.5, "reference": 0.5, "export": 0.5, "verify": 0.5, "deploy": 4.0}
"""Seconds a step of each kind is taken for until the run has seen one; its own steps' mean replaces the guess."""
BLOCK_OVERHEAD_S = 0.3
"""Unfreezing, connecting, writing samples: likewise a first guess."""


class TimeLeft:
    """The seconds still to go, from the steps still to do and what steps of their kind took so far."""

    def __init__(self, steps: dict[str, int], guess_s: dict[str, float]) -> None:
        self.steps = dict(steps)
        self.guess_s = guess_s
        self.taken_s: dict[str, list[float]] = defaultdict(list)

    @classmethod
    def of(cls, asked: Experiment, planned: Plan, events: Sequence[AnyEvent]) -> Self:
        """The steps that an experiment still has ahead after these events."""
        failed = history.failures(events)
        ahead = [c for c in planned.cells if c.id not in failed and not history.finished(events, c.model, asked)]
        lengths_s = [rounds.block_s(asked.load, workload) for c in ahead for workload in asked.workloads_of(c.model)]
        steps = {
            "prepare": len({cell.server for cell in ahead}),
            "reference": len({cell.model for cell in ahead}),
            **{kind: len(ahead) for kind in ("export", "verify", "deploy", "warm-up")},
            "block": history.blocks_ahead(events, ahead, asked),
            "capacity": trials.trials_ahead(events, planned.cells, asked),
        }
        guess_s = {
            **FIRST_GUESS_S,
            "deploy": FIRST_GUESS_S["deploy"] * asked.cold_starts,
            "warm-up": (asked.load.warmup_s + BLOCK_OVERHEAD_S) * asked.copies,
            "block": fmean(lengths_s or [asked.load.block_s]) + BLOCK_OVERHEAD_S,
            "capacity": fmean([search.trial_s for search in asked.load.capacity] or [0.0]) + BLOCK_OVERHEAD_S,
        }
        return cls(steps, guess_s)

    def done(self, kind: str, seconds: float) -> None:
        self.steps[kind] = max(0, self.steps.get(kind, 0) - 1)
        self.taken_s[kind].append(seconds)

    def expect(self, kind: str, count: int) -> None:
        """So many steps of the kind are ahead, whatever was expected before."""
        self.steps[kind] = count

    @property
    def seconds(self) -> float:
        return sum(count * self._expected_s(kind) for kind, count in self.steps.items())

    def _expected_s(self, kind: str) -> float:
        taken = self.taken_s[kind]
        return sum(taken) / len(taken) if taken else self.guess_s.get(kind, 1.0)


class Display:
    """The run's voice. `step` names what begins now; `say` prints a line that stays."""

    def __init__(self, console: Console, left: TimeLeft) -> None:
        self.console = console
        self.left = left
        self._total = sum(left.steps.values())
        self._done = 0
        self._kind: str | None = None
        self._began_s = 0.0
        self._live: Progress | None = None
        self._task = TaskID(0)
        self._announced = ""

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            columns = (
                TextColumn("[bold]{task.fields[stage]:<9}[/]", table_column=Column(no_wrap=True)),
                BarColumn(bar_width=16),
                TimeElapsedColumn(table_column=Column(no_wrap=True)),
                TextColumn("about {task.fields[left]} left", table_column=Column(no_wrap=True)),
                # Last and flexible: on a narrow terminal the end of the cell's name goes, not the time left.
                TextColumn("{task.fields[what]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            )
            # Twice a second: drawing shares the generator's core, and a busier display would show up as lag.
            self._live = Progress(*columns, console=self.console, refresh_per_second=2, transient=True, expand=True)
            self._task = self._live.add_task("", total=self._total, stage="start", what="", left="…")
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def step(self, kind: str, what: str) -> None:
        """A step of this kind begins; the one before it has ended."""
        self._finish()
        self._kind, self._began_s = kind, time.perf_counter()
        left = duration(self.left.seconds)
        if self._live:
            self._live.update(self._task, completed=self._done, stage=kind, what=what, left=left)
        elif (line := f"{kind} {what}") != self._announced:
            self._announced = line
            self.say(f"{kind:<9} {what}  (about {left} left)")

    def expect(self, kind: str, count: int) -> None:
        """Steps came on top (a spoiled round is measured again), or fell away (a cell failed): `count` are ahead."""
        self.left.expect(kind, count)
        self._total = self._done + sum(self.left.steps.values())
        if self._live:
            self._live.update(self._task, total=self._total)

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _finish(self) -> None:
        if self._kind:
            self.left.done(self._kind, time.perf_counter() - self._began_s)
            self._done += 1
            self._kind = None
