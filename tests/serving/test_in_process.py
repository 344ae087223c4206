"""What every runtime promises the server, asked of it in process."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from serving.reference import runtimes
from serving.reference.artifact import ArtifactError, Tensor, read, verify
from serving.reference.runtimes import NUMBERS, InvalidInput
from tests.serving import echo, fresh, tiny
from tests.serving.conftest import Artifacts
from tests.serving.test_runtimes import COMPUTING

NUMERIC = sorted(NUMBERS)
READ_ALIKE = {"litert", "savedmodel_xla", "torchscript_script"}
LOADERS = [(form, runtime) for form, runtime in COMPUTING if form not in READ_ALIKE]
"""One format for each way that a runtime loads; `test_runtimes` serves them all."""
NO_COMPILER = shutil.which("g++") is None

ECHOES = [
    ("onnx", "onnxruntime", [*NUMERIC, "object"]),
    ("onnx", "openvino", [dtype for dtype in NUMERIC if dtype not in ("float64", "int64", "uint32", "uint64")]),
    ("torchscript", "libtorch", NUMERIC),
    ("torch_export", "libtorch", NUMERIC),
    pytest.param(
        "aot_inductor", "libtorch", NUMERIC, marks=pytest.mark.skipif(NO_COMPILER, reason="no g++ to export with")
    ),
    ("savedmodel", "tensorflow", [*NUMERIC, "object"]),
    ("tflite", "litert", NUMERIC),
]


@pytest.mark.parametrize(("form", "runtime", "dtypes"), ECHOES)
def test_every_datatype_comes_back_as_it_went(form: str, runtime: str, dtypes: list[str], tmp_path: Path) -> None:
    fresh.call(_make_echo, form, tmp_path, dtypes)
    fresh.call(_echo, runtime, tmp_path, dtypes)


def _make_echo(form: str, folder: Path, dtypes: list[str]) -> None:
    echo.make(form, folder, dtypes)


def _echo(runtime: str, folder: Path, dtypes: list[str]) -> None:
    loaded = runtimes.load(runtime, folder, verify(folder), 1)
    for size in (3, 1, 6):
        inputs = {f"in_{dtype}": np.resize(echo.sample(dtype), size) for dtype in dtypes}
        outputs = loaded.infer(inputs)
        assert list(outputs) == [f"out_{dtype}" for dtype in dtypes]
        for dtype in dtypes:
            expected, found = inputs[f"in_{dtype}"], outputs[f"out_{dtype}"]
            assert (type(found), found.dtype) == (np.ndarray, expected.dtype)
            np.testing.assert_array_equal(found, expected)
            if dtype == "object":
                assert {type(element) for element in found} == {bytes}


@pytest.mark.parametrize(("runtime", "dtype"), [("libtorch", "object"), ("litert", "object"), ("openvino", "float64")])
def test_a_datatype_that_a_runtime_lacks_fails_at_load(runtime: str, dtype: str, tmp_path: Path) -> None:
    echo.make("onnx", tmp_path, [dtype])
    with pytest.raises(ArtifactError, match=rf"tensor 'in_{dtype}' has dtype '{dtype}'; {runtime} has .*int8"):
        runtimes.load(runtime, tmp_path, verify(tmp_path), 1)


@pytest.mark.parametrize(("form", "runtime"), LOADERS)
def test_a_manifest_with_another_datatype_or_name_fails_at_load(
    form: str, runtime: str, artifacts: Artifacts, tmp_path: Path
) -> None:
    wrong: dict[str, tuple[Tensor, ...]] = {"the manifest": (*tiny.INPUTS, Tensor("z", "float32", ("batch", 4)))}
    if form not in ("torchscript", "torchscript_script", "aot_inductor"):  # they do not say; outputs are looked at
        wrong["int32"] = (Tensor("x", "int32", ("batch", 4)),)
    folders = {said: shutil.copytree(artifacts(form), tmp_path / said) for said in wrong}
    for said, folder in folders.items():
        tiny.seal(folder, form, read(folder).entry, wrong[said])
    for said, refusal in zip(folders, fresh.call(_refusals, runtime, list(folders.values())), strict=True):
        assert said in refusal


def _refusals(runtime: str, folders: list[Path]) -> list[str]:
    found = []
    for folder in folders:
        with pytest.raises(ArtifactError) as refused:
            _load(runtime, folder)
        found.append(str(refused.value))
    return found


def _load(runtime: str, folder: Path) -> None:
    runtimes.load(runtime, folder, verify(folder), 1)


def test_integers_that_openvino_would_wrap_are_refused(tmp_path: Path) -> None:
    echo.make("onnx", tmp_path, ["int64", "uint32"])
    loaded = runtimes.load("openvino", tmp_path, verify(tmp_path), 1)
    fitting = {"in_int64": np.array([-(2**31), 2**31 - 1]), "in_uint32": np.array([0, 2**31 - 1], np.uint32)}
    np.testing.assert_array_equal(loaded.infer(fitting)["out_int64"], fitting["in_int64"])
    with pytest.raises(InvalidInput, match="input 'in_int64': openvino computes in 32-bit integers"):
        loaded.infer(fitting | {"in_int64": np.array([0, 2**31])})
    with pytest.raises(InvalidInput, match="in_uint32"):
        loaded.infer(fitting | {"in_uint32": np.array([0, 2**31], np.uint32)})


def test_openvino_has_no_telemetry(artifacts: Artifacts) -> None:
    assert fresh.call(_telemetry_after_load, artifacts("openvino")) == []


def _telemetry_after_load(folder: Path) -> list[str]:
    _load("openvino", folder)
    return [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module]


def test_bytes_that_onnxruntime_cannot_take_are_the_requests_fault(tmp_path: Path) -> None:
    echo.make("onnx", tmp_path, ["object"])
    loaded = runtimes.load("onnxruntime", tmp_path, verify(tmp_path), 1)
    with pytest.raises(InvalidInput, match="input 'in_object': onnxruntime takes UTF-8 text only"):
        loaded.infer({"in_object": np.array([b"\xff"], object)})


@pytest.mark.parametrize(("form", "runtime"), LOADERS)
def test_answers_stay_what_they_were_and_inputs_too(form: str, runtime: str, artifacts: Artifacts) -> None:
    fresh.call(_answers_stay, runtime, artifacts(form))


def _answers_stay(runtime: str, folder: Path) -> None:
    loaded = runtimes.load(runtime, folder, verify(folder), 1)
    kept = []
    for value in range(8):
        body = np.full((2, 4), value, np.float32).tobytes()  # memory that may only be read, as a gRPC request's
        kept.append((value, body, loaded.infer({"x": np.frombuffer(body, np.float32).reshape(2, 4)})["y"]))
    for value, body, answer in kept:
        np.testing.assert_array_equal(answer, np.full((2, 4), 2 * value + 1, np.float32))
        np.testing.assert_array_equal(np.frombuffer(body, np.float32), np.full(8, value))


def test_telling_onnx_runtimes_version_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has looked may still be forked: the checks of the map are."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # NumPy's
    assert fresh.call(_more_threads_after_version, "onnxruntime") == 0


def _more_threads_after_version(runtime: str) -> int:
    before = psutil.Process().num_threads()
    runtimes.version(runtime)
    return psutil.Process().num_threads() - before


@pytest.mark.slow
@pytest.mark.parametrize(("form", "runtime"), LOADERS)
def test_loading_again_and_again_keeps_no_memory_threads_or_files(
    form: str, runtime: str, artifacts: Artifacts
) -> None:
    grown_bytes, more_threads, more_files = fresh.call(_reloaded, runtime, artifacts(form))
    assert grown_bytes < 8 * 2**20
    assert more_threads <= 0
    assert more_files <= 0


def _reloaded(runtime: str, folder: Path) -> tuple[int, int, int]:
    """What 50 loads left behind, after 10 that fill the caches: bytes, threads, open files."""
    process, x = psutil.Process(), np.ones((2, 4), np.float32)

    def once() -> None:
        loaded = runtimes.load(runtime, folder, verify(folder), 2)
        with ThreadPoolExecutor(1) as worker:
            worker.submit(loaded.infer, {"x": x}).result()
        del loaded
        gc.collect()

    def state() -> np.ndarray[Any, Any]:
        return np.array([process.memory_info().rss, process.num_threads(), len(os.listdir("/proc/self/fd"))])

    for _ in range(10):
        once()
    before = state()
    for _ in range(50):
        once()
    grown_bytes, more_threads, more_files = (state() - before).tolist()
    return grown_bytes, more_threads, more_files


@pytest.mark.parametrize(("form", "runtime"), LOADERS)
def test_two_versions_stand_side_by_side_and_one_goes(form: str, runtime: str, artifacts: Artifacts) -> None:
    fresh.call(_side_by_side, runtime, artifacts(form))


def _side_by_side(runtime: str, folder: Path) -> None:
    old, new = (runtimes.load(runtime, folder, verify(folder), 1) for _ in range(2))
    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    with ThreadPoolExecutor(2) as pool:
        for answer in [*pool.map(lambda model: model.infer({"x": x}), [old, new])]:
            np.testing.assert_array_equal(answer["y"], 2 * x + 1)
        del old
        gc.collect()
        np.testing.assert_array_equal(pool.submit(new.infer, {"x": x}).result()["y"], 2 * x + 1)
