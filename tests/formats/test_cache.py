"""The cache gives back what was made from the same things, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import artifacts, formats
from serving.reference import artifact as on_disk
from tests.formats.conftest import Seed

CELL = ("digits_cnn", "torch", "torchscript", "fp32")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of its own that already holds the artifact of `CELL`."""
    made = artifacts.export(*CELL)
    shutil.copytree(made.folder.parent, tmp_path / "cache" / made.key)
    return tmp_path / "cache"


def test_a_key_is_computed_without_any_framework() -> None:
    code = (
        "import sys; from pipelines import artifacts;"
        "artifacts.key('minilm', 'tensorflow', 'tflite', 'fp32');"
        "sys.exit(', '.join({'torch', 'tensorflow', 'keras'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr.strip() == b""


def test_every_part_of_a_cell_changes_the_key() -> None:
    cells = [
        ("digits_cnn", "torch", "onnx", "fp32"),
        ("minilm", "torch", "onnx", "fp32"),
        ("digits_cnn", "tensorflow", "onnx", "fp32"),
        ("digits_cnn", "torch", "torchscript", "fp32"),
        ("digits_cnn", "torch", "onnx", "int8"),
    ]
    assert len({artifacts.key(*cell) for cell in cells}) == len(cells)


def test_an_edited_exporter_changes_the_key(seed_format: Seed, tmp_path: Path) -> None:
    seed_format("edited", "raise ValueError")
    before = artifacts.key("digits_cnn", "torch", "edited", "fp32")
    shutil.copytree(tmp_path / "plugins", tmp_path / "elsewhere")
    exporter = tmp_path / "elsewhere" / "edited.py"
    exporter.write_text(exporter.read_text() + "# edited\n")
    formats.load("edited").__file__ = str(exporter)
    assert artifacts.key("digits_cnn", "torch", "edited", "fp32") != before


def test_an_artifact_that_was_kept_is_not_made_again(cache: Path) -> None:
    assert artifacts.export(*CELL, cache=cache).cached


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "no manifest", "no facts"])
def test_an_artifact_that_was_tampered_with_is_made_again(damage: str, cache: Path) -> None:
    folder = artifacts.export(*CELL, cache=cache).folder
    entry = folder / "model.pt"
    if damage == "changed":
        entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    elif damage == "added":
        (folder / "extra").touch()
    elif damage == "no facts":
        (folder.parent / "facts.json").write_text("{}")
    else:
        (entry if damage == "missing" else folder / on_disk.MANIFEST).unlink()
    again = artifacts.export(*CELL, cache=cache)
    assert not again.cached
    assert on_disk.verify(again.folder) == again.manifest


def test_a_reference_that_was_tampered_with_is_made_again(tmp_path: Path) -> None:
    whole = artifacts.reference("digits_cnn", cache=tmp_path)
    (folder,) = tmp_path.iterdir()
    (folder / "parity.npz").write_bytes((folder / "parity.npz").read_bytes()[:5000])
    again = artifacts.reference("digits_cnn", cache=tmp_path)
    assert (again.parity[0].outputs["logits"] == whole.parity[0].outputs["logits"]).all()


def test_a_verification_is_kept_with_the_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = artifacts.export(*CELL)
    hops = artifacts.verify(artifact, "libtorch")
    monkeypatch.setattr(artifacts, "run", lambda *_: pytest.fail("a worker was started"))
    assert artifacts.verify(artifact, "libtorch") == hops
