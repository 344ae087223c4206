"""Cells are looked at heaviest first; one that fails stops the rest, and is raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.matrix import pool
from pipelines.matrix.cells import Cell
from pipelines.matrix.observation import Observation

CELLS = [Cell(name, "torch", "onnx", "fp32") for name in ("case", "known", "pair")]


class Silent:
    def began(self, cell: Cell) -> None:
        pass

    def ended(self, cell: Cell, seen: Observation) -> None:
        pass


def look(cell: Cell) -> Observation:
    return Observation(cell.id, "onnx", "2026-01-01T00:00:00", 1.0)


def test_heaviest_first_takes_the_last_time_before_a_guess() -> None:
    order = pool.heaviest_first(CELLS, {CELLS[1].id: 100.0}, ["pair"])
    assert [cell.model for cell in order] == ["known", "pair", "case"]


def test_every_cell_is_looked_at() -> None:
    seen = pool.work(CELLS, look, lambda: None, 2, Silent())
    assert {cell: one.cell for cell, one in seen.items()} == {cell: cell.id for cell in CELLS}


def test_an_interrupt_stops_the_others_and_is_raised() -> None:
    stopped: list[bool] = []

    def interrupted(_: Cell) -> Observation:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.work(CELLS, interrupted, lambda: stopped.append(True), 1, Silent())
    assert stopped == [True]


def test_seconds_are_kept_and_a_broken_file_is_no_knowledge(tmp_path: Path) -> None:
    path = tmp_path / "new" / "seconds.json"
    pool.write_seconds(path, {"a": 1.5})
    assert pool.read_seconds(path) == {"a": 1.5}
    path.write_text("[")
    assert pool.read_seconds(path) == {}
