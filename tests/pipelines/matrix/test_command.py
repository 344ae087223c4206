"""The whole command: a cold map misses no cell, a warm one exports nothing, and bad names get one clear line."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.matrix import command, pages
from pipelines.matrix.cells import Selection
from pipelines.matrix.command import Settings
from pipelines.matrix.document import Map
from pipelines.matrix.outcome import OUTCOMES

ASKED = Selection(("digits_cnn", "sort", "string_input"), ("torch",), ("onnx", "torchscript"), ("fp32",))
DEEP = "digits_cnn/torch/onnx/fp32"
CELLS = [
    DEEP,
    "digits_cnn/torch/torchscript/fp32",
    "sort/torch/onnx/fp32",
    "sort/torch/torchscript/fp32",
    "string_input/torch/onnx/fp32",
    "string_input/torch/torchscript/fp32",
]


SINGLE = "sort/torch/onnx/fp32"


@dataclasses.dataclass(frozen=True)
class Place:
    """Folders of one test's own, and what was made in them at first."""

    settings: Settings
    out: Path
    cold: Map
    printed: str

    def files(self) -> dict[str, int]:
        """Of artifacts and records, with the time when they were written."""
        folders = (self.settings.cache, self.settings.records)
        found = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {str(path): path.stat().st_mtime_ns for path in found if path.name != "seconds.json"}


def made(settings: Settings, out: Path, asked: Selection = ASKED) -> tuple[Map, str]:
    said = io.StringIO()
    return command.whole(asked, settings, out, Console(file=said, width=200)), said.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("map")
    settings = Settings(2, 300.0, refresh=False, cache=folder / "artifacts", records=folder / "records")
    return Place(settings, folder / "out", *made(settings, folder / "out"))


@pytest.mark.slow
def test_a_cold_map_has_an_outcome_for_every_cell(place: Place) -> None:
    parsed = json.loads((place.out / pages.JSON).read_text())
    assert [entry["id"] for entry in parsed["entries"]] == CELLS
    assert {entry["id"]: entry["outcome"] for entry in parsed["entries"] if entry["outcome"] != "skipped"} == {
        "digits_cnn/torch/onnx/fp32": "ok",
        "digits_cnn/torch/torchscript/fp32": "ok",
        "sort/torch/onnx/fp32": "ok",
        "sort/torch/torchscript/fp32": "ok",
    }
    assert {entry["outcome"] for entry in parsed["entries"] if entry["model"] == "string_input"} == {"skipped"}
    assert "4 cells, 0 known, 2 skipped" in place.printed
    told = parsed["settings"]
    assert (told["jobs"], told["observed_now"], told["known"]) == (2, 4, 0)
    assert told["wall_s"] >= max(entry["wall_s"] or 0 for entry in parsed["entries"]) > 0.5
    assert (place.out / pages.HTML).exists()
    assert (place.out / pages.MARKDOWN).exists()


@pytest.mark.slow
def test_what_was_seen_of_a_cell_is_in_the_map(place: Place) -> None:
    parsed = json.loads((place.out / pages.JSON).read_text())
    (entry,) = [entry for entry in parsed["entries"] if entry["id"] == DEEP]
    made = entry["export"]
    assert 5 <= made["operators"] <= 50
    assert 100e6 < made["peak_memory_bytes"] < 4e9, "torch is in it"
    assert 0.05 < made["seconds"] < entry["wall_s"]
    assert 10_000 < made["bytes"] < 10e6
    assert (made["differing"], made["fixed"]) == ([], {})
    assert isinstance(made["deprecations"], list)
    (traced,) = [entry for entry in parsed["entries"] if entry["id"] == "digits_cnn/torch/torchscript/fp32"]
    assert any("torch.jit.trace" in line for line in traced["export"]["deprecations"])
    assert {1, 8} < set(entry["sizes"]["batch"])
    assert 0 < entry["load_s"] < 10
    assert entry["artifact"]["passed"]
    assert 0 < entry["artifact"]["max_rel_error"] <= 1e-4
    assert entry["source"] is None, "it is the source's own export"
    headline = entry["quality"][0]
    assert (headline["metric"], headline["value"]) == ("accuracy", headline["reference"])
    assert 0.9 < headline["value"] <= 1


@pytest.mark.slow
def test_a_warm_map_exports_nothing_and_says_the_same(place: Place) -> None:
    before = place.files()
    warm, printed = made(place.settings, place.out)
    assert "4 cells, 4 known, 2 skipped" in printed
    assert place.files() == before
    assert warm.entries == place.cold.entries
    assert (warm.settings["observed_now"], warm.settings["known"]) == (0, 4)
    assert warm.settings["wall_s"] < place.cold.settings["wall_s"]


@pytest.mark.slow
def test_a_cell_by_itself_is_looked_at_anew_and_told_in_full(place: Place) -> None:
    said = io.StringIO()
    told = command.single(SINGLE, place.settings, Console(file=said, width=200))
    (cold,) = [entry for entry in place.cold.entries if entry.id == SINGLE]
    assert (told.outcome, told.wall_s != cold.wall_s) == ("ok", True)
    lines = said.getvalue().splitlines()
    assert lines[-1] == f"{SINGLE}: {OUTCOMES['ok']}"
    assert any(line.startswith("exported in ") for line in lines)
    assert "a second export has the same hashes" in lines
    assert any("of the largest output" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--matrix", "--models", "nobody"], "unknown model 'nobody'"),
        (["--matrix", "--formats", "nobody"], "unknown format 'nobody'"),
        (["--matrix", "--frameworks", "jax"], "unknown framework 'jax'"),
        (["--matrix", "--variants", "fp8"], "unknown variant 'fp8'"),
        (["--matrix", "--formats", "executorch", "--frameworks", "tensorflow"], "no cell has that framework"),
        (["--matrix", "--jobs", "0"], "--jobs: expected more than 0, found 0"),
        (["--matrix", "--timeout", "nan"], "--timeout: expected more than 0 and at most 86400 seconds, found nan"),
        (["digits_cnn/torch/onnx/fp32", "--timeout", "-1"], "--timeout: expected more than 0"),
        (
            ["digits_cnn/torch/onnx/fp32", "--out", "here"],
            "--out is the map's folder; a cell's artifact is in the cache",
        ),
        (["nobody/torch/onnx/fp32"], "unknown model 'nobody'"),
        (["digits_cnn/torch/onnx"], "expected MODEL/FRAMEWORK/FORMAT/VARIANT"),
        (["digits_cnn/torch/onnx/fp32", "--matrix"], "expected either one"),
        ([], "expected either one"),
    ],
)
def test_bad_input_gets_one_line_and_writes_nothing(words: list[str], said: str, tmp_path: Path) -> None:
    out = tmp_path / "map"
    place = ["--out", str(out)] if "--matrix" in words else []
    ended = CliRunner().invoke(app, ["export", *words, *place], catch_exceptions=False)
    assert ended.exit_code == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: ")
    assert said in ended.stderr
    assert not out.exists()


def test_a_cell_that_cannot_be_is_told_with_its_reason(tmp_path: Path) -> None:
    said = io.StringIO()
    settings = Settings(1, 60.0, refresh=False, cache=tmp_path / "artifacts", records=tmp_path / "records")
    told = command.single("string_input/torch/onnx/fp32", settings, Console(file=said, width=200))
    assert told.outcome == "skipped"
    assert "no honest equivalent in torch" in said.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_a_fault_around_a_cell_is_told_and_ends_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no environment")

    monkeypatch.setattr("pipelines.matrix.observe.observe", broken)
    settings = Settings(1, 60.0, refresh=False, cache=tmp_path / "artifacts", records=tmp_path / "records")
    found, _ = made(settings, tmp_path / "out")
    assert found.counts == {"not_observed": 4, "skipped": 2}
    assert {entry.detail for entry in found.entries if entry.outcome == "not_observed"} == {
        "RuntimeError: no environment"
    }
    _, printed = made(settings, tmp_path / "out")
    assert "0 known" in printed, "it is looked at again"
