"""Tiny artifacts, made once a session, and a reference server running in the host's environment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from serving.engines import load
from serving.engines.contract import Engine
from serving.engines.launch import free_port
from tests.serving import client, tiny

ROOT = Path(__file__).parents[2]
RUNTIMES = {
    "onnx": ["onnxruntime", "openvino"],
    "openvino": ["openvino"],
    "torchscript": ["libtorch"],
    "torchscript_script": ["libtorch"],
    "torch_export": ["libtorch"],
    "aot_inductor": ["libtorch"],
    "executorch": ["executorch"],
    "litert": ["litert"],
    "savedmodel": ["tensorflow"],
    "savedmodel_xla": ["tensorflow"],
    "tflite": ["litert"],
    "null": ["null"],
}
"""Which runtimes execute the tiny artifact of a format."""

Artifacts = Callable[[str], Path]
Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """The tiny artifact of a format; made in a process of its own, as frameworks do not leave one as they found it."""
    made: dict[str, Path] = {}

    def get(form: str) -> Path:
        if form not in made:
            if reason := tiny.lacks(form):
                pytest.skip(reason)
            folder = tmp_path_factory.mktemp(form)
            command = [sys.executable, "-m", "tests.serving.tiny", form, str(folder)]
            subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
            made[form] = folder
        return made[form]

    return get


@pytest.fixture(scope="session")
def serve() -> Serve:
    """`with serve(folder, runtime) as url:` runs a reference server, and ends it by SIGTERM with exit status 0."""

    @contextmanager
    def running(folder: Path, runtime: str, *options: str) -> Iterator[str]:
        port = free_port()
        process = start_reference(folder, runtime, port, *options)
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.perf_counter() + 60
            while not _ready(url):
                assert process.poll() is None, process.communicate()
                assert time.perf_counter() < deadline
                time.sleep(0.02)
            yield url
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.communicate()

    return running


def start_reference(folder: Path, runtime: str, port: int, *options: str) -> subprocess.Popen[str]:
    """Start a reference server with this interpreter."""
    command = [sys.executable, "-m", "serving.reference", "--artifact", str(folder), "--runtime", runtime]
    return subprocess.Popen(
        [*command, "--port", str(port), "--threads", "1", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ready(url: str) -> bool:
    try:
        return client.call(url, "GET", "/v2/health/ready").status == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the engines of this session keep their servers' logs."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session", params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def engine(request: pytest.FixtureRequest, logs: Path) -> Engine:
    """Each engine in turn, on the clone's own cache, so that images and environments are built once."""
    found = load(request.param, ROOT / ".cache", logs)
    if reason := found.unavailable():
        pytest.skip(reason)
    return found


def server_process(url: str) -> psutil.Process | None:
    """The process that serves a URL, in a container or not, as the host sees it; None where there is none."""
    port = url.rpartition(":")[2]
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command[1:3] == ["-m", "serving.reference"] and port in command:
            return process
    return None
