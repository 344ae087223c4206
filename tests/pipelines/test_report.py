"""The reports: everything that happened is in them, they open offline, and what comes from outside is escaped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import report, results
from pipelines.errors import BadRun
from tests.pipelines.made import cell, cell_id, comparison, failed, load, run

GOLDEN = Path(__file__).parent / "golden_report.md"
SHOWN = run(
    failed("torchscript"),
    cell("onnx", 1.0),
    cell("savedmodel", 4.0),
    cell("tflite", 1.5),
    cell("onnx").model_copy(update={"id": "digits_cnn/tensorflow/onnx/fp32/-/-", "framework": "tensorflow",
                                    "status": "skipped", "reason": "format onnx exports from torch"}),
    comparisons=(comparison("onnx", "tflite", 1 / 1.5),),
)  # fmt: skip


def test_the_markdown_is_the_golden_one(tmp_path: Path) -> None:
    """After a wanted change: write the new text to the golden file, and read its diff."""
    report.write(SHOWN, tmp_path)
    assert (tmp_path / "report.md").read_text() == GOLDEN.read_text()


def test_the_page_opens_offline_and_says_what_failed(tmp_path: Path) -> None:
    report.write(SHOWN, tmp_path)
    page = (tmp_path / "report.html").read_text()
    fetched = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]*)"', page)
    assert fetched == []
    assert cell_id("torchscript") in page
    assert "converter_crash: killed by SIGSEGV" in page
    assert "Segmentation fault &lt;b&gt;" in page
    assert page.index("Deployment: PyTorch | TensorFlow") < page.index("converter_crash: killed by SIGSEGV")


def test_a_run_in_which_everything_failed_still_has_a_report(tmp_path: Path) -> None:
    report.write(run(*(failed(name) for name in ("torchscript", "onnx", "savedmodel", "tflite"))), tmp_path)
    assert "nothing to compare" in (tmp_path / "report.md").read_text()


def test_a_run_without_a_valid_load_says_that_speed_was_not_judged(tmp_path: Path) -> None:
    loads = (load("steady", 100.0, 1.0, 100.0, valid=False),)
    report.write(run(*(cell(name, status="invalid", loads=loads) for name in ("onnx", "tflite"))), tmp_path)
    assert "| **speed** | not judged | | | digits_cnn: no load is valid |" in (tmp_path / "report.md").read_text()
    assert '<td class="quiet" colspan="3">no load is valid</td>' in (tmp_path / "report.html").read_text()


def test_results_survive_being_written_down() -> None:
    assert results.from_json(results.to_json(SHOWN), "copy") == SHOWN


def test_the_results_have_the_schema_in_them() -> None:
    assert '"schema": 1' in results.to_json(SHOWN) or '"schema":1' in results.to_json(SHOWN)


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 2}', "[1]"])
def test_what_is_no_result_is_one_clear_line(text: str) -> None:
    with pytest.raises(BadRun, match=r"^there: not results of schema 1: ") as caught:
        results.from_json(text, "there")
    assert "\n" not in str(caught.value)
