"""Many cells at once, heaviest first; what is finished is kept, whatever ends the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Protocol

from pipelines.matrix.cells import Cell
from pipelines.matrix.observation import Observation

UNKNOWN_PAIR_S, UNKNOWN_CASE_S = 60.0, 5.0
"""What a cell is taken for that was never observed: a pair's export is large, a hard case's is tiny."""


class Watch(Protocol):
    """Who is told how it goes; called from several threads."""

    def began(self, cell: Cell) -> None: ...

    def ended(self, cell: Cell, seen: Observation) -> None: ...


def work(
    cells: Sequence[Cell], look: Callable[[Cell], Observation], stop: Callable[[], None], jobs: int, watch: Watch
) -> dict[Cell, Observation]:
    """Look at all cells in this order, `jobs` at a time.

    On Ctrl-C, or where a look raises, `stop` ends those that run (their looks raise `Stopped`), and it is raised again.
    """

    def one(cell: Cell) -> Observation:
        watch.began(cell)
        seen = look(cell)
        watch.ended(cell, seen)
        return seen

    seen: dict[Cell, Observation] = {}
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="cell") as pool:
        waiting = {pool.submit(one, cell): cell for cell in cells}
        try:
            for done in as_completed(waiting):
                seen[waiting[done]] = done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
    return seen


def heaviest_first(cells: Sequence[Cell], took_s: Mapping[str, float], pairs: Sequence[str]) -> list[Cell]:
    """By the seconds that each took the last time; in the end the cores then idle for a short cell's time at most."""

    def weight(cell: Cell) -> float:
        return took_s.get(cell.id, UNKNOWN_PAIR_S if cell.model in pairs else UNKNOWN_CASE_S)

    return sorted(cells, key=lambda cell: (-weight(cell), cell))


def left_s(ahead: Sequence[Cell], took_s: Mapping[str, float], done_s: Sequence[float], jobs: int) -> float:
    """About how many seconds the cells ahead will take: as long as the last time, or as those done now on average."""
    mean = sum(done_s) / len(done_s) if done_s else UNKNOWN_CASE_S
    return sum(took_s.get(cell.id, mean) for cell in ahead) / jobs


def read_seconds(path: Path) -> dict[str, float]:
    """By cell id what a look took; empty where nothing is known."""
    try:
        return {str(cell): float(seconds) for cell, seconds in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write_seconds(path: Path, seconds: Mapping[str, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(sorted(seconds.items())), indent=0) + "\n")
