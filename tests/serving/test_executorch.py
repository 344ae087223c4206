"""What the ExecuTorch runtime promises beyond what every runtime does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from serving.reference import artifact, runtimes
from serving.reference.artifact import ArtifactError, Manifest, Tensor
from serving.reference.runtimes import InvalidInput, Runtime
from tests.serving.conftest import Artifacts


@pytest.fixture(scope="module")
def folder(artifacts: Artifacts) -> Path:
    return artifacts("executorch")


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Runtime:
    return runtimes.load("executorch", folder, artifact.verify(folder), 1)


def test_no_later_call_writes_to_the_answer(loaded: Runtime) -> None:
    first = loaded.infer({"x": np.ones((2, 4), np.float32)})["y"]
    loaded.infer({"x": np.zeros((2, 4), np.float32)})
    np.testing.assert_array_equal(first, 3)


def test_an_input_that_is_not_contiguous_is_read_by_its_strides(loaded: Runtime) -> None:
    x = np.arange(12, dtype=np.float32).reshape(4, 3).T
    np.testing.assert_array_equal(loaded.infer({"x": x})["y"], 2 * x + 1)


def test_more_than_memory_was_planned_for_is_the_requests_fault(loaded: Runtime) -> None:
    with pytest.raises(InvalidInput, match="axis 0 was exported for 1024 at most, found 1025"):
        loaded.infer({"x": np.zeros((1025, 4), np.float32)})
    assert loaded.infer({"x": np.zeros((1024, 4), np.float32)})["y"].shape == (1024, 4)


def test_it_runs_on_as_many_threads_as_it_is_told(folder: Path) -> None:
    manifest = artifact.verify(folder)
    from executorch.extension.pybindings import portable_lib

    for threads in (2, 1):
        runtimes.load("executorch", folder, manifest, threads)
        assert portable_lib._threadpool_get_thread_count() == threads


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": (Tensor("x", "int64", ("batch", 4)),)},
        {"inputs": (Tensor("x", "float32", ("batch",)),)},
        {"outputs": ()},
    ],
)
def test_a_manifest_with_other_tensors_is_refused(folder: Path, changes: dict[str, tuple[Tensor, ...]]) -> None:
    manifest: Manifest = dataclasses.replace(artifact.verify(folder), **changes)  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match="the model's are float32"):
        runtimes.load("executorch", folder, manifest, 1)


@pytest.mark.parametrize("keep", [0, 64, -1])
def test_a_damaged_program_is_refused(folder: Path, tmp_path: Path, keep: int) -> None:
    manifest = artifact.verify(folder)
    (tmp_path / manifest.entry).write_bytes((folder / manifest.entry).read_bytes()[:keep])
    with pytest.raises(ArtifactError, match="not an ExecuTorch program"):
        runtimes.load("executorch", tmp_path, manifest, 1)
