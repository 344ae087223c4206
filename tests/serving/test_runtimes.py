"""Every runtime behind the same server, and how the server starts and fails to start."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

from serving.engines.launch import free_port
from serving.reference import runtimes
from serving.reference.artifact import MANIFEST
from tests.serving import tiny
from tests.serving.client import as_binary, as_json, infer, probe
from tests.serving.conftest import RUNTIMES, Artifacts, Serve, start_reference

COMPUTING = [(form, runtime) for form, names in RUNTIMES.items() for runtime in names if runtime != "null"]


def test_there_is_an_artifact_to_test_every_runtime_with() -> None:
    assert {name for names in RUNTIMES.values() for name in names} == set(runtimes.NAMES)


@pytest.mark.parametrize(("form", "runtime"), COMPUTING)
def test_every_runtime_answers_every_batch_size_in_both_encodings(
    form: str, runtime: str, artifacts: Artifacts, serve: Serve
) -> None:
    with serve(artifacts(form), runtime) as url:
        for batch in (1, 3, 1, 8, 8):
            x = np.arange(batch * 4, dtype=np.float32).reshape(batch, 4)
            plain = infer(url, tiny.name(form), {"inputs": [as_json("x", x)]})
            request = {"parameters": {"binary_data_output": True}, "inputs": [as_binary("x", x)]}
            binary = infer(url, tiny.name(form), request, x.tobytes())
            for answer in (plain, binary):
                assert answer.status == 200, answer.json
                np.testing.assert_allclose(answer.arrays()["y"], 2 * x + 1)


def test_the_null_runtime_answers(artifacts: Artifacts, serve: Serve) -> None:
    with serve(artifacts("null"), "null") as url:
        assert probe(url, tiny.name("null"))


def test_unaligned_binary_tensors_are_read_rightly(artifacts: Artifacts, serve: Serve) -> None:
    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    with serve(artifacts("torchscript"), "libtorch") as url:
        for padding in range(4):
            request = {"id": "i" * padding, "inputs": [as_binary("x", x)]}
            answer = infer(url, tiny.name("torchscript"), request, x.tobytes())
            np.testing.assert_allclose(answer.arrays()["y"], 2 * x + 1)


def test_a_runtime_that_fails_gives_a_clean_500(tmp_path: Path, serve: Serve) -> None:
    folder = tiny.onnx(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["inputs"][0]["shape"] = ["batch", "width"]  # the manifest promises what the model cannot
    (folder / MANIFEST).write_text(json.dumps(manifest))
    x = np.zeros((1, 5), np.float32)
    with serve(folder, "onnxruntime") as url:
        answer = infer(url, tiny.name("onnx"), {"inputs": [as_json("x", x)]})
        assert answer.status == 500
        assert answer.json["error"].startswith("onnxruntime_onnx failed: ")
        assert "\n" not in answer.json["error"]


def _rename_input(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["inputs"][0]["name"] = "z"
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda folder: (folder / "model.onnx").open("ab").write(b"x"), ["model.onnx", "was changed"]),
        (lambda folder: (folder / "model.onnx").unlink(), ["model.onnx", "is missing"]),
        (lambda folder: (folder / "extra.py").write_text(""), ["extra.py", "not in the manifest"]),
        (lambda folder: (folder / MANIFEST).write_text("{"), [MANIFEST, "not a manifest"]),
        (lambda folder: (folder / MANIFEST).unlink(), [MANIFEST, "No such file"]),
        (_rename_input, ["names inputs ['z']", "['x']"]),
    ],
)
def test_a_broken_artifact_ends_the_start_with_one_line(
    tmp_path: Path, artifacts: Artifacts, break_it: object, words: list[str]
) -> None:
    folder = shutil.copytree(artifacts("onnx"), tmp_path / "artifact")
    assert callable(break_it)
    break_it(folder)
    stderr = _refused_start(folder, free_port())
    for word in words:
        assert word in stderr


def test_a_taken_port_ends_the_start_with_one_line(artifacts: Artifacts) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stderr = _refused_start(artifacts("onnx"), taken.getsockname()[1])
    assert "Address already in use" in stderr


def _refused_start(folder: Path, port: int) -> str:
    process = start_reference(folder, "onnxruntime", port)
    try:
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 1
    assert stdout == ""
    assert len(stderr.splitlines()) == 1, stderr
    return stderr
