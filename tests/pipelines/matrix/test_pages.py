"""The map's files have every cell and how to reproduce it, and nothing a converter says becomes markup."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.matrix import document, pages
from pipelines.matrix.outcome import OUTCOMES
from pipelines.parity import Parity
from tests.pipelines.matrix import made

NASTY = "Traceback\n</script><script>alert(1)</script>\n<!-- <script>\nValueError: <b>no</b> | tea & sugar"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pages.write(made.whole(made.entries(NASTY)), tmp_path)
    return tmp_path


def embedded(page: str) -> dict[str, Any]:
    """What the page's script reads; a browser ends it where this does."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


def test_json_has_every_cell_and_its_command(folder: Path) -> None:
    parsed = json.loads((folder / pages.JSON).read_text())
    assert {entry["id"]: entry["reproduce"] for entry in parsed["entries"]} == {
        entry.id: f"deploy-compare export {entry.id}" for entry in made.entries()
    }


def test_html_has_every_cell_and_its_command(folder: Path) -> None:
    page = (folder / pages.HTML).read_text()
    assert embedded(page) == json.loads((folder / pages.JSON).read_text())
    for entry in made.entries():
        assert f'title="{entry.id}: {OUTCOMES[entry.outcome]}' in page


def test_markdown_has_every_cell_and_the_command(folder: Path) -> None:
    page = (folder / pages.MARKDOWN).read_text()
    assert "| pair | ✓ |" in page
    assert "| case | ✗ |" in page
    assert "| case | – |" in page
    assert "| `case/torch/onnx/fp32` | converter error | ValueError: <b>no</b> \\| tea |" in page
    assert "no honest equivalent in tensorflow: none" in page
    assert "`deploy-compare export CELL`" in page


def test_both_pages_say_how_much_was_observed_now_and_how_long_it_took(folder: Path) -> None:
    for name in (pages.MARKDOWN, pages.HTML):
        assert "1 observed now in 48 min 20 s on 3 at once, 41 known." in (folder / name).read_text()


def test_markdown_says_the_cause_before_what_a_cell_said(tmp_path: Path) -> None:
    said = "TorchExportError: Failed to export. This is step 1/3 of exporting the model to ONNX. Next steps:"
    found = [dataclasses.replace(made.entries()[1], cause="control flow", detail=said)]
    pages.write(made.whole(found), tmp_path)
    assert f"| converter error | control flow: {said} |" in (tmp_path / pages.MARKDOWN).read_text()


def test_precisions_that_a_format_does_not_offer_are_told_with_their_reason(folder: Path) -> None:
    parsed = json.loads((folder / pages.JSON).read_text())["not_offered"]
    assert [(one["framework"], one["format"], one["variant"]) for one in parsed][:3] == [
        ("torch", "onnx", "fp16"),
        ("torch", "onnx", "int8_dynamic"),
        ("torch", "onnx", "int8_static"),
    ]
    markdown, html = ((folder / name).read_text() for name in (pages.MARKDOWN, pages.HTML))
    assert "| torch | onnx | fp16 | halves are <b>slow</b> \\| here |" in markdown
    assert "| torch | onnx | int8_dynamic, int8_static | no reason given |" in markdown
    assert "<td>fp16</td><td>halves are &lt;b&gt;slow&lt;/b&gt; | here</td>" in html


def test_a_map_whose_formats_offer_all_precisions_says_nothing_of_it(tmp_path: Path) -> None:
    pages.write(dataclasses.replace(made.whole(made.entries()), not_offered=()), tmp_path)
    for name in (pages.MARKDOWN, pages.HTML):
        assert "Precisions not offered" not in (tmp_path / name).read_text()


def test_what_a_converter_says_is_no_markup(folder: Path) -> None:
    page = (folder / pages.HTML).read_text()
    assert embedded(page)["entries"][1]["log"] == NASTY
    for raw in ("<script>alert(1)", "<b>no</b>", "<!-- <script>"):
        assert raw not in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page


def test_a_log_is_kept_only_of_what_is_not_ok() -> None:
    ok, failed, _ = made.entries("line\n" * 50)
    assert ok.log == ""
    assert len(failed.log.splitlines()) == document.LOG_LINES


def test_figures_that_json_has_not_are_null() -> None:
    infinite = dataclasses.replace(made.entries()[0], artifact=Parity("artifact", float("inf"), float("nan"), False))
    parsed = json.loads(document.to_json(made.whole([infinite])))
    assert parsed["entries"][0]["artifact"]["max_rel_error"] is None


def test_totals_count_the_exports_that_are_the_same_twice(tmp_path: Path) -> None:
    ok = made.entries()[0]
    found = [
        dataclasses.replace(ok, export=dataclasses.replace(made.EXPORT, differing=differing))
        for differing in ((), (), ("model.onnx",), None)
    ]
    (total,) = document.totals(found, ["pair"])
    assert total.same_twice == (2, 3), "one was not made twice"
    pages.write(made.whole(found), tmp_path)
    assert "| 2 | 2 / 3 |" in (tmp_path / pages.MARKDOWN).read_text()
    assert "made again, which are those of at most 40 s." in (tmp_path / pages.MARKDOWN).read_text()
    assert '<td class="num">2 / 3<span' in (tmp_path / pages.HTML).read_text()


def test_totals_leave_out_what_was_skipped() -> None:
    of_torch, of_tensorflow = document.totals(made.entries(), ["pair"])
    assert (of_torch.pairs, of_torch.cases, of_torch.skipped) == ((1, 1), (0, 1), 0)
    assert (of_tensorflow.cases, of_tensorflow.skipped) == ((0, 0), 1)
