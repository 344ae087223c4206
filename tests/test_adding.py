"""docs/adding.md, followed to the letter: what it adds is found everywhere with no other edit, and is sound."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding.md"
PAIR, CASE, FORMAT, SERVER = "random_features", "remainder", "onnx_optimized", "onnx-optimized"
PLACES = {
    "DEPLOY_COMPARE_MODELS": "models/zoo",
    "DEPLOY_COMPARE_HARD_CASES": "models/hard_cases",
    "DEPLOY_COMPARE_FORMATS": "pipelines/formats",
    "DEPLOY_COMPARE_SERVERS": "serving/servers",
}
FILES = re.compile(r"^`([^`\n]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAKE_WEIGHTS = re.compile(r"^\.venv/bin/python (-m models\.zoo\.\S+)$", re.MULTILINE)

pytestmark = pytest.mark.slow


class Added:
    """A folder that holds the page's files, and programs that are told of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {name: str(folder / place) for name, place in PLACES.items()}

    def run(self, *words: str) -> str:
        """What a module of ours, or pytest, prints; its exit status is 0."""
        ended = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def command(self, *words: str) -> str:
        return self.run("-c", "from pipelines.cli import main; main()", *words)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Added:
    made = Added(tmp_path_factory.mktemp("adding"))
    write_files(made.folder)
    (fit,) = MAKE_WEIGHTS.findall(PAGE.read_text())
    made.run(*fit.split())
    return made


def write_files(folder: Path) -> list[str]:
    """Put the page's files below a folder; their names there."""
    found: dict[str, str] = dict(FILES.findall(PAGE.read_text()))
    for name, text in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(found)


@pytest.mark.parametrize(
    ("kind", "name"), [("models", PAIR), ("hard-cases", CASE), ("formats", FORMAT), ("servers", SERVER)]
)
def test_it_is_listed(added: Added, kind: str, name: str) -> None:
    assert name in {line.split()[0] for line in added.command("list", kind).splitlines()}


def test_it_is_planned(added: Added) -> None:
    planned = added.command("plan", str(added.folder / "mine.yaml")).splitlines()
    assert f"{PAIR}/torch/{FORMAT}/fp32/{SERVER}/oip-http" in planned


def test_contract_tests_pick_it_up(added: Added) -> None:
    collected = added.run("-m", "pytest", "--collect-only", "-q", "tests/models", "tests/formats")
    for expected in (
        f"test_zoo.py::test_the_keras_twin_agrees_with_the_torch_source[{PAIR}]",
        f"test_hard_cases.py::test_the_twin_agrees_with_the_source[{CASE}]",
        f"test_exports.py::test_the_artifact_answers_as_the_source_does[{PAIR}-tensorflow-savedmodel-fp32-tensorflow]",
        f"test_exports.py::test_the_artifact_answers_as_the_source_does[digits_cnn-torch-{FORMAT}-fp32-onnxruntime]",
    ):
        assert expected in collected


def test_it_is_on_the_map(added: Added, tmp_path: Path) -> None:
    added.command(
        "export", "--matrix", "--models", f"{PAIR},{CASE}", "--formats", FORMAT, "--out", str(tmp_path), "--jobs", "1"
    )
    entries = json.loads((tmp_path / "map.json").read_text())["entries"]
    assert {entry["id"]: entry["outcome"] for entry in entries} == {
        f"{PAIR}/torch/{FORMAT}/fp32": "ok",
        f"{CASE}/torch/{FORMAT}/fp32": "ok",
    }


def test_the_pins_it_shows_are_those_of_the_server_it_resembles(added: Added) -> None:
    shown = added.folder / PLACES["DEPLOY_COMPARE_SERVERS"] / SERVER / "requirements.txt"
    assert shown.read_text() == (ROOT / "serving/servers/reference-onnx/requirements.txt").read_text()


@pytest.mark.parametrize("tool", ["ruff format --check", "ruff check", "mypy"])
def test_its_code_passes_the_checks_beside_the_others(tmp_path: Path, tool: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("models", "pipelines"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    files = [name for name in write_files(tmp_path) if name.endswith(".py")]
    assert len(files) == 4
    program, *options = tool.split()
    found = subprocess.run(
        [sys.executable, "-m", program, *options, *files], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
