"""`deploy-compare serve CELL`: up until Ctrl-C, gone afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import models.zoo
from loadtests import protocols
from loadtests.errors import NotReady
from pipelines import serve
from pipelines.plan import Cell
from tests.pipelines.test_cli import refused

CELL = "digits_cnn/torch/onnx/fp32/reference-onnx/oip-http"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("digits_cnn", "expected a cell as `deploy-compare plan` prints it: model/framework/format"),
        ("gpt/torch/onnx/fp32/reference-onnx/oip-http", "unknown model 'gpt'; known: digits_cnn, minilm"),
        ("digits_cnn/jax/onnx/fp32/reference-onnx/oip-http", "frameworks.0: input should be 'torch' or 'tensorflow'"),
        ("digits_cnn/torch/tflite/fp32/reference-litert/oip-http", "format tflite exports from tensorflow"),
        ("digits_cnn/torch/onnx/fp32/nginx/oip-http", "unknown server 'nginx'"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(cell: str, said: str) -> None:
    assert said in refused("serve", cell)


def test_a_served_cell_answers_and_ends_well_on_ctrl_c() -> None:
    command = [str(Path(sys.executable).parent / "deploy-compare"), "serve", CELL, "--engine", "process"]
    client = protocols.load("oip-http")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said: dict[str, str] = {}
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            said[word] = rest.strip()
            if word == "Ctrl-C":
                break
        inputs = models.zoo.load("digits_cnn").load_inputs()[0]
        assert client.infer(said["endpoint"], said["model"], inputs, 10)
        assert "curl -s" in said["curl"]
        assert said["load"].startswith(f"deploy-compare load {said['endpoint']}")
        assert "serving.reference" in Path(f"/proc/{said['load'].rpartition(' --pid ')[2]}/cmdline").read_text()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, rest
    with pytest.raises(NotReady):
        client.infer(said["endpoint"], said["model"], inputs, 2)


def test_instructions_fit_the_protocol() -> None:
    inputs = {"x": np.zeros((1, 2), np.float32)}
    by_grpc = serve.instructions(Cell("m", "torch", "onnx", "fp32", "s", "oip-grpc"), "grpc://h:1", "n", inputs)
    assert not any(line.startswith("curl") for line in by_grpc)
    by_rest = serve.instructions(Cell("m", "torch", "onnx", "fp32", "s", "tfs-rest"), "http://h:1", "n", inputs)
    assert any("/v1/models/n:predict" in line and '"instances":[[0.0,0.0]]' in line for line in by_rest)
