"""What was seen once is not looked at again, unless something that decides it has changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pipelines.matrix.cells import Cell
from pipelines.matrix.observation import Failure
from pipelines.matrix.records import Records
from pipelines.worker_process import Reason
from serving import catalog
from tests.pipelines.matrix.made import observation

CELL = Cell("digits_cnn", "torch", "onnx", "fp32")
SERVER = catalog.load("reference-onnx")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "records")


def test_what_was_kept_is_found_as_it_was(records: Records) -> None:
    assert records.find(CELL, SERVER, 60.0) is None
    records.keep(CELL, SERVER, observation(CELL))
    assert records.find(CELL, SERVER, 60.0) == observation(CELL)


def test_another_cell_is_not_taken_for_it(records: Records) -> None:
    records.keep(CELL, SERVER, observation(CELL))
    assert records.find(dataclasses.replace(CELL, variant="fp16"), SERVER, 60.0) is None


def test_after_a_change_of_the_runtimes_environment_it_is_not_known(records: Records, tmp_path: Path) -> None:
    records.keep(CELL, SERVER, observation(CELL))
    (tmp_path / "requirements.txt").write_text(SERVER.requirements.read_text() + "another==1.0\n")
    assert records.find(CELL, SERVER.model_copy(update={"folder": tmp_path}), 60.0) is None


def test_after_a_change_of_the_exporter_it_is_not_known(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    records.keep(CELL, SERVER, observation(CELL))
    monkeypatch.setattr("pipelines.formats.onnx.PACKAGES", ("torch",))
    assert records.find(CELL, SERVER, 60.0) is None


def test_a_timeout_is_looked_at_again_with_more_time_only(records: Records) -> None:
    seen = observation(CELL, Failure("export", "timeout", "not done after 60 s", 60.0))
    records.keep(CELL, SERVER, seen)
    assert records.find(CELL, SERVER, 60.0) == seen
    assert records.find(CELL, SERVER, 30.0) == seen
    assert records.find(CELL, SERVER, 61.0) is None


@pytest.mark.parametrize(
    ("stage", "reason"),
    [("export", "out_of_memory"), ("check", "disk_full"), ("host", "converter_error"), ("source", "timeout")],
)
def test_what_another_look_may_show_otherwise_is_not_kept(records: Records, stage: str, reason: Reason) -> None:
    records.keep(CELL, SERVER, observation(CELL, Failure(stage, reason, "RuntimeError: no", 60.0)))  # type: ignore[arg-type]
    assert records.find(CELL, SERVER, 60.0) is None


def test_a_broken_record_is_no_knowledge_and_is_replaced(records: Records) -> None:
    records.keep(CELL, SERVER, observation(CELL))
    (path,) = records.folder.iterdir()
    path.write_text(path.read_text()[:40])
    assert records.find(CELL, SERVER, 60.0) is None
    records.keep(CELL, SERVER, observation(CELL))
    assert records.find(CELL, SERVER, 60.0) == observation(CELL)
    assert list(records.folder.iterdir()) == [path]
