"""An interrupted or killed run leaves nothing running, loses no finished block, and can be continued."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.pipelines import driving

pytestmark = pytest.mark.slow


def test_ctrl_c_leaves_nothing_and_saves_the_state(engine: str, tmp_path: Path) -> None:
    process = driving.start(tmp_path, engine, driving.TWO_WAYS)
    driving.wait_for(lambda: (tmp_path / "latest").exists() and len(driving.blocks(tmp_path)) >= 2, process)
    process.send_signal(signal.SIGINT)
    printed = driving.finish(process)
    assert process.returncode == 130, printed
    assert "--resume continues" in printed
    assert driving.left_behind((tmp_path / "latest").resolve().name) == []
    results = driving.read(tmp_path)
    assert not results.complete
    assert sum(len(load.blocks) for cell in results.cells for load in cell.loads) >= 2
    assert "not complete" in (tmp_path / "latest" / "report.md").read_text()


def test_a_killed_run_is_swept_and_continued_without_measuring_a_block_twice(engine: str, tmp_path: Path) -> None:
    process = driving.start(tmp_path, engine, driving.TWO_WAYS)
    driving.wait_for(lambda: (tmp_path / "latest").exists() and len(driving.blocks(tmp_path)) >= 5, process)
    process.kill()
    process.communicate()
    killed = (tmp_path / "latest").resolve()
    before = driving.blocks(tmp_path)
    files = {event.samples: (killed / event.samples).stat().st_mtime_ns for event in before}

    resumed = driving.start(tmp_path, engine, driving.TWO_WAYS, "--resume")
    printed = driving.finish(resumed)
    assert resumed.returncode in {0, 1}, printed
    assert (tmp_path / "latest").resolve() == killed
    after = driving.blocks(tmp_path)
    assert after[: len(before)] == before
    assert len({(e.cell, e.workload, e.round, e.attempt) for e in after}) == len(after)
    assert {name: (killed / name).stat().st_mtime_ns for name in files} == files
    results = driving.read(tmp_path)
    assert results.complete
    assert all(len(load.blocks) == 3 for cell in results.cells for load in cell.loads)
    assert driving.left_behind(killed.name) == []


def test_a_run_of_another_experiment_is_not_resumed(engine: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(driving.TWO_WAYS.read_text().replace("rate_rps: 60", "rate_rps: 50"))
    process = driving.start(tmp_path, engine, driving.TWO_WAYS)
    driving.wait_for((tmp_path / "latest" / "journal.jsonl").exists, process)
    busy = driving.start(tmp_path, engine, driving.TWO_WAYS, "--resume")
    assert "is still going on in another process" in driving.finish(busy)
    assert busy.returncode == 2
    process.send_signal(signal.SIGTERM)
    driving.finish(process)
    assert process.returncode == 130
    refused = driving.start(tmp_path, engine, other, "--resume")
    assert (
        "was of another experiment 'two-ways' (changed since: load.workloads.0.arrivals.rate_rps 50"
        in driving.finish(refused)
    )
    assert refused.returncode == 2
