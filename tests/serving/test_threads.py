"""The threads of a runtime are as many as the server was told, which shows in the CPU time of each.

Whatever else computes meanwhile would take it from some of them: so these tests have the machine to themselves.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from serving.reference import runtimes
from serving.reference.artifact import verify
from tests.serving import fresh, wide
from tests.serving.conftest import Artifacts


@pytest.fixture(scope="module")
def wide_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    @cache
    def get(form: str) -> Path:
        folder = tmp_path_factory.mktemp(form)
        fresh.call(wide.make, form, folder)
        return folder

    return get


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("form", "runtime"), [("onnx", "onnxruntime"), ("onnx", "openvino"), *wide.TORCH, *wide.TF])
def test_the_thread_that_infers_has_as_many_threads_as_asked(
    form: str, runtime: str, threads: int, wide_artifacts: Artifacts
) -> None:
    # Loaded by one thread, called by another; and a second model with other threads must not change the first's.
    assert fresh.call(_busy_threads, runtime, wide_artifacts(form), threads) == threads


def _busy_threads(runtime: str, folder: Path, threads: int) -> int:
    """How many threads of the process computed while a worker thread inferred."""
    loaded = runtimes.load(runtime, folder, verify(folder), threads)
    others = () if runtime == "tensorflow" else (runtimes.load(runtime, folder, verify(folder), 3 - threads),)
    # TensorFlow leaves smaller products to one thread where oneDNN computes them, as on processors with AVX-512.
    inputs = {"x": np.ones((1024, wide.WIDTH), np.float32)}
    with ThreadPoolExecutor(1) as worker, ThreadPoolExecutor(1) as other_worker:
        for other in others:
            other_worker.submit(other.infer, inputs).result()
        worker.submit(loaded.infer, inputs).result()
        before = _cpu_s_by_thread()
        worker.submit(_repeat, loaded, inputs, 1.0).result()
        spent = [cpu_s - before.get(thread, 0.0) for thread, cpu_s in _cpu_s_by_thread().items()]
    return sum(cpu_s > 0.3 * max(spent) for cpu_s in spent)  # those that only hand over take a tenth


def _repeat(loaded: runtimes.Runtime, inputs: dict[str, Any], duration_s: float) -> None:
    end = time.perf_counter() + duration_s
    while time.perf_counter() < end:
        loaded.infer(inputs)


def _cpu_s_by_thread() -> dict[int, float]:
    return {thread.id: thread.user_time + thread.system_time for thread in psutil.Process().threads()}
