"""How far the map is: a live line with what runs, or a line for each finished cell where there is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipelines.figures import duration
from pipelines.matrix.cells import Cell
from pipelines.matrix.observation import Observation
from pipelines.matrix.outcome import OUTCOMES, Verdict
from pipelines.matrix.pool import left_s


class Display:
    """A `Watch` that shows. Thread-safe."""

    def __init__(
        self,
        console: Console,
        cells: Sequence[Cell],
        took_s: Mapping[str, float],
        jobs: int,
        judge: Callable[[Cell, Observation], Verdict],
    ) -> None:
        self._console = console
        self._ahead = list(cells)
        self._total = len(cells)
        self._took_s, self._jobs, self._judge = took_s, jobs, judge
        self._done_s: list[float] = []
        self._running: dict[Cell, float] = {}
        self._lock = threading.Lock()
        self._live: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._console.is_terminal and self._total:
            columns = (
                BarColumn(bar_width=16),
                MofNCompleteColumn(table_column=Column(no_wrap=True)),
                TimeElapsedColumn(table_column=Column(no_wrap=True)),
                TextColumn("about {task.fields[left]} left", table_column=Column(no_wrap=True)),
                TextColumn("{task.fields[what]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            )
            self._live = Progress(*columns, console=self._console, refresh_per_second=2, transient=True, expand=True)
            self._task = self._live.add_task("", total=self._total, left=self._left(), what="")
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def began(self, cell: Cell) -> None:
        with self._lock:
            self._running[cell] = time.perf_counter()
            self._show()

    def ended(self, cell: Cell, seen: Observation) -> None:
        verdict = self._judge(cell, seen)
        with self._lock:
            self._done_s.append(time.perf_counter() - self._running.pop(cell))
            self._ahead.remove(cell)
            if self._live is None:
                about = f" · {verdict.cause}" if verdict.cause else ""
                done = f"{len(self._done_s)}/{self._total}"
                line = f"{done} {cell.id}: {OUTCOMES[verdict.outcome]}{about} · {self._done_s[-1]:.1f} s"
                self.say(f"{line} (about {self._left()} left)")
            self._show()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        if self._live:
            what = "  ".join(cell.id for cell in self._running)
            self._live.update(self._task, completed=len(self._done_s), left=self._left(), what=what)

    def _left(self) -> str:
        return duration(left_s(self._ahead, self._took_s, self._done_s, self._jobs))
