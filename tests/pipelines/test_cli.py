"""Bad input gets one clear line and exit status 2, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from pipelines import experiment
from pipelines.cli import app

GOOD = {
    "name": "mine",
    "models": ["digits_cnn"],
    "formats": ["onnx"],
    "load": {"workloads": [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": 10}}]},
}


def call(*words: str) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=False)


def refused(*words: str) -> str:
    result = call(*words)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def written(folder: Path, **changes: object) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return str(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"speed": 3}, "speed: unknown key"),
        ({"models": ["gpt"]}, "unknown model 'gpt'; known: digits_cnn, minilm"),
        ({"formats": ["tfl"]}, "unknown format 'tfl'; known: "),
        ({"servers": ["nginx"]}, "unknown server 'nginx'; known: reference-executorch, reference-libtorch"),
        ({"load": {"workloads": [{"name": "w", "arrivals": {"kind": "open", "rate_rps": -1}}]}}, "greater than 0"),
        ({"frameworks": []}, "frameworks: tuple should have at least 1 item"),
        (
            {"frameworks": ["tensorflow"], "formats": ["torchscript"]},
            "no cell to run, all are skipped; the first because format torchscript exports from torch",
        ),
        ({"budget": {"cpus": 512}}, "budget.cpus: 512 leaves no core for the load generator"),
    ],
)
def test_a_bad_experiment_is_refused_before_anything_is_made(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    out = tmp_path / "runs"
    assert said in refused("run", written(tmp_path, **change), "--out", str(out))
    assert not out.exists()


def test_yaml_that_does_not_parse_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("models: [a\nload: {")
    assert "not YAML" in refused("run", str(tmp_path / "broken.yaml"))


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused("run", written(tmp_path), "--engine", "process", "--out", str(tmp_path / "file" / "runs"))
    assert "cannot write to" in said


def test_docker_without_a_daemon_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    said = refused("run", written(tmp_path), "--engine", "docker", "--out", str(tmp_path / "runs"))
    assert "no Docker daemon answers" in said
    assert "--engine process" in said
    assert not (tmp_path / "runs").exists()


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    said = refused("run", written(tmp_path), "--engine", "podman", "--out", str(tmp_path / "runs"))
    assert "unknown engine 'podman'; known: auto, docker, process" in said


def test_there_is_nothing_to_resume_in_an_empty_folder(tmp_path: Path) -> None:
    assert "no run to resume" in refused("run", written(tmp_path), "--resume", "--out", str(tmp_path))


@pytest.mark.parametrize("text", [None, "{bad", "[]"])
def test_a_run_without_its_environment_is_not_resumed(tmp_path: Path, text: str | None) -> None:
    run = tmp_path / "runs" / "1"
    run.mkdir(parents=True)
    (tmp_path / "runs" / "latest").symlink_to("1")
    asked = experiment.load(written(tmp_path))
    (run / "experiment.yaml").write_text(experiment.dump(asked))
    if text is not None:
        (run / "environment.json").write_text(text)
    said = refused("run", written(tmp_path), "--resume", "--out", str(tmp_path / "runs"))
    assert "environment.json: cannot be read" in said


def test_a_report_of_an_unknown_run_is_refused() -> None:
    assert "unknown run 'yesterday'" in refused("report", "yesterday")


def test_a_report_of_a_damaged_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    assert "not results of schema 1" in refused("report", str(tmp_path))


def test_an_unknown_kind_to_list_is_refused() -> None:
    known = "models, hard-cases, formats, servers, protocols, experiments"
    assert f"unknown kind 'cats'; known: {known}" in refused("list", "cats")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("models", "minilm"),
        ("formats", "torchscript"),
        ("servers", "reference-onnx"),
        ("protocols", "tfs-rest"),
        ("experiments", "smoke"),
    ],
)
def test_list_shows_what_there_is(kind: str, name: str) -> None:
    result = call("list", kind)
    assert result.exit_code == 0
    assert name in result.stdout


def test_plan_shows_cells_and_reasons_and_time() -> None:
    result = call("plan", "default")
    assert result.exit_code == 0
    assert "minilm/torch/onnx/fp32/reference-onnx/oip-http" in result.stdout
    assert "format tflite exports from tensorflow, not from torch" in result.stdout
    assert "at most 3 min 12 s measuring" in result.stdout
