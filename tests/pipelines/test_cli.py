"""Bad input gets one clear line and exit status 2, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from pipelines import experiments, recordings
from pipelines.cli import app
from pipelines.errors import BadExperiment

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
    planned = call("plan", written(tmp_path, **change))  # it says so after what it has to show
    assert (planned.exit_code, said in planned.stderr) == (2, True)


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
    assert "no run of experiment 'mine' to resume below" in refused(
        "run", written(tmp_path), "--resume", "--out", str(tmp_path)
    )


@pytest.mark.parametrize("text", [None, "{bad", "[]"])
def test_a_run_without_its_environment_is_not_resumed(tmp_path: Path, text: str | None) -> None:
    run = left(tmp_path, "20260102-030405-mine")
    if text is not None:
        (run / "environment.json").write_text(text)
    said = refused("run", written(tmp_path), "--resume", "--out", str(tmp_path / "runs"))
    assert "environment.json: cannot be read" in said


def left(folder: Path, run: str, **changes: object) -> Path:
    """A run's folder, with no more than the experiment that it was of, and `latest` pointing at it."""
    path = folder / "runs" / run
    path.mkdir(parents=True)
    latest = folder / "runs" / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(run)
    (path / "experiment.yaml").write_text(experiments.dump(experiments.load(written(folder, **changes))))
    return path


def test_the_latest_run_of_the_same_experiment_is_resumed_past_any_other(tmp_path: Path) -> None:
    left(tmp_path, "20260101-030405-mine")
    left(tmp_path, "20260102-030405-mine")
    left(tmp_path, "20260103-030405-mine", cold_starts=5)
    left(tmp_path, "20260104-030405-mine-too", name="mine-too")
    left(tmp_path, "20260105-030405-load", name="load")
    said = refused("run", written(tmp_path), "--resume", "--out", str(tmp_path / "runs"))
    assert "20260102-030405-mine/environment.json: cannot be read" in said


def test_an_experiment_that_was_changed_is_not_resumed_and_the_change_is_told(tmp_path: Path) -> None:
    left(tmp_path, "20260103-030405-mine", cold_starts=5)
    said = refused("run", written(tmp_path), "--resume", "--out", str(tmp_path / "runs"))
    assert "run 20260103-030405-mine was of another experiment 'mine' (changed since: cold_starts 3, was 5)" in said


def replaying(folder: Path, csv: str) -> dict[str, object]:
    """An experiment's load that replays these lines."""
    (folder / "recorded.csv").write_text(csv)
    return {"load": {"workloads": [{"name": "again", "arrivals": {"kind": "replay", "file": "recorded.csv"}}]}}


def test_a_recording_that_was_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    asked = replaying(tmp_path, "instant_s\n0.1\n")
    run = left(tmp_path, "20260103-030405-mine", **asked)
    described = {
        "engine": "process",
        "budget": {},
        "recordings": recordings.hashes(experiments.load(written(tmp_path, **asked))),
    }
    (run / "environment.json").write_text(json.dumps(described))
    replaying(tmp_path, "instant_s\n0.2\n")
    said = refused("run", written(tmp_path, **asked), "--resume", "--out", str(tmp_path / "runs"))
    assert "replayed other recordings than those that are there now: start a new run" in said


def test_a_payload_that_a_recording_names_must_be_there(tmp_path: Path) -> None:
    asked = experiments.load(written(tmp_path, **replaying(tmp_path, "instant_s,payload\n0.1,63\n0.2,64\n")))
    recordings.check_payloads(asked, "digits_cnn", 65)
    with pytest.raises(BadExperiment, match=r"'again': .*line 3: payload 64 is beyond the 64 payloads"):
        recordings.check_payloads(asked, "digits_cnn", 64)


@pytest.mark.parametrize("command", ["run", "report", "plan"])
def test_a_name_too_long_for_a_file_is_an_unknown_one(command: str) -> None:
    said = refused(command, "x" * 300)
    assert "unknown" in said
    assert len(said) < 2000


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
