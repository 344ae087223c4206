"""The null runtime: what it answers, that it costs nothing, and what it refuses."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.reference import runtimes
from serving.reference.artifact import ArtifactError, Tensor, read, verify
from serving.reference.runtimes import null

INPUTS = (Tensor("ids", "int64", ("batch", "tokens")), Tensor("mask", "int64", ("batch", "tokens")))
OUTPUTS = (
    Tensor("logits", "float32", ("batch", 3)),
    Tensor("words", "object", ("batch",)),
    Tensor("spans", "uint8", ("tokens", "batch", 2)),
    Tensor("version", "int16", ()),
)


def inputs(batch: int, tokens: int) -> dict[str, np.ndarray[Any, Any]]:
    return {tensor.name: np.zeros((batch, tokens), np.int64) for tensor in INPUTS}


def test_outputs_have_the_sizes_of_the_inputs(tmp_path: Path) -> None:
    constants: dict[str, np.ndarray[Any, Any]] = {
        "logits": np.array([0.25, 0.5, 0.75], np.float32),
        "version": np.array(7, np.int16),
    }
    manifest = null.write(tmp_path, INPUTS, OUTPUTS, constants)
    assert manifest.id == "null-none-null-fp32"
    loaded = runtimes.load("null", tmp_path, verify(tmp_path), 1)
    for batch, tokens in ((1, 5), (4, 2), (1, 5), (0, 3)):
        answer = loaded.infer(inputs(batch, tokens))
        assert [(name, array.shape, array.dtype.name) for name, array in answer.items()] == [
            ("logits", (batch, 3), "float32"),
            ("words", (batch,), "object"),
            ("spans", (tokens, batch, 2), "uint8"),
            ("version", (), "int16"),
        ]
        np.testing.assert_array_equal(answer["logits"], np.tile(constants["logits"], (batch, 1)))
        assert answer["words"].tolist() == [b""] * batch
        assert answer["version"] == 7


def test_an_answer_is_a_look_up_whatever_its_size(tmp_path: Path) -> None:
    large = (Tensor("y", "float32", ("batch", 1_000_000)),)
    null.write(tmp_path, INPUTS, large)
    loaded, asked = runtimes.load("null", tmp_path, verify(tmp_path), 1), inputs(4, 5)
    first = loaded.infer(asked)["y"]
    started = time.perf_counter()
    for _ in range(10_000):
        again = loaded.infer(asked)["y"]
    assert (time.perf_counter() - started) / 10_000 < 20e-6
    assert again is first
    assert not first.flags.writeable


def test_memory_does_not_grow_with_the_sizes_that_clients_send(tmp_path: Path) -> None:
    null.write(tmp_path, INPUTS, OUTPUTS)
    loaded = null.load(tmp_path / null.ENTRY, verify(tmp_path), 1)
    for tokens in range(1, 1000):
        loaded.infer(inputs(1, tokens))
    assert len(loaded._made) <= null.CACHED_SIZES


def test_an_axis_that_no_input_has_fails_at_load(tmp_path: Path) -> None:
    null.write(tmp_path, INPUTS, (Tensor("y", "float32", ("batch", "detections")),))
    with pytest.raises(ArtifactError, match="output 'y': no input has its axis 'detections'"):
        runtimes.load("null", tmp_path, verify(tmp_path), 1)


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"z": np.zeros(3)}, r"constants for \['z'\], but the outputs are "),
        ({"logits": np.zeros(3)}, "a constant of float64 for an output of float32"),
        ({"logits": np.zeros(4, np.float32)}, r"a constant of shape \(4,\) does not fit"),
        ({"logits": np.zeros((2, 3), np.float32)}, r"a constant of shape \(2, 3\) does not fit"),
        ({"words": np.array([b"x"], object)}, "a constant of object"),
    ],
)
def test_a_constant_that_fits_no_output_is_refused(
    constants: dict[str, np.ndarray[Any, Any]], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=words):
        null.write(tmp_path, INPUTS, OUTPUTS, constants)
    assert list(tmp_path.iterdir()) == []


def test_constants_are_never_unpickled(tmp_path: Path) -> None:
    null.write(tmp_path, INPUTS, OUTPUTS)
    np.savez(tmp_path / null.ENTRY, logits=np.array([object()]))
    with pytest.raises(ArtifactError, match=r"constants\.npz: no constants in it: Object arrays"):
        null.load(tmp_path / null.ENTRY, read(tmp_path), 1)
