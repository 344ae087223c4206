"""A failure is data: the other cells finish, and the report says which failed, where and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines import driving

pytestmark = pytest.mark.slow
FAULTY = driving.HERE / "faulty"


def test_three_seeded_faults_cost_three_cells(engine: str, tmp_path: Path) -> None:
    process = driving.start(
        tmp_path,
        engine,
        FAULTY / "experiment.yaml",
        DEPLOY_COMPARE_FORMATS=str(FAULTY / "formats"),
        DEPLOY_COMPARE_SERVERS=str(FAULTY / "servers"),
    )
    printed = driving.finish(process)
    assert process.returncode == 1, printed
    cells = {f"{cell.format}@{cell.server}": cell for cell in driving.read(tmp_path).cells if cell.status != "skipped"}
    crashed = cells.pop("crashing@never-starts")
    wrong = cells.pop("wrong_values@never-starts")
    dead = cells.pop("onnx@never-starts")
    assert {name: cell.status in {"ok", "invalid"} for name, cell in cells.items()} == {
        "onnx@reference-onnx": True,
        "tflite@reference-litert": True,
    }
    assert {cell.status for cell in (crashed, wrong, dead)} == {"failed"}
    assert crashed.stage == "export"
    assert "converter_crash" in (crashed.reason or "")
    assert "SIGSEGV" in (crashed.reason or "")
    assert wrong.stage == "verify"
    assert "wrong_values: hop artifact: relative error" in (wrong.reason or "")
    assert wrong.loads == ()
    assert dead.stage == "deploy"
    assert "no model of that name" in f"{dead.reason} {dead.detail}"
    report = (tmp_path / "latest" / "report.md").read_text()
    for cell in (crashed, wrong, dead):
        assert cell.reason
        assert f"| `{cell.id}` | failed | {cell.stage} |" in report
