"""Reference servers over folders of models: started, asked, and ended."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from serving.engines.launch import free_port
from tests.serving.client import Answer, call
from tests.serving.conftest import ROOT


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    url: str
    process: psutil.Popen
    log: Path

    def load(self, model: str, **settings: object) -> Answer:
        parameters = {"config": json.dumps(settings)} if settings else {}
        body = json.dumps({"parameters": parameters}).encode()
        return call(self.url, "POST", f"/v2/repository/models/{model}/load", body)

    def unload(self, model: str) -> Answer:
        return call(self.url, "POST", f"/v2/repository/models/{model}/unload")

    def index(self) -> dict[tuple[str, str], tuple[str, str]]:
        """State and reason by name and version."""
        found = call(self.url, "POST", "/v2/repository/index").json
        return {(each["name"], each["version"]): (each["state"], each["reason"]) for each in found}

    def get(self, path: str) -> Any:
        return call(self.url, "GET", path).json

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels, which may be part of the name."""
        text = call(self.url, "GET", "/metrics").body.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


@contextmanager
def running(repository: Path, *options: str) -> Iterator[Server]:
    """A server of the models in a folder, with ONNX Runtime; where it was not ended, SIGTERM must end it with 0."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("w") as stderr:
            command = [sys.executable, "-m", "serving.reference", "--repository", str(repository)]
            command += ["--runtime", "onnxruntime", "--port", str(port), "--threads", "1", *options]
            process = psutil.Popen(command, cwd=ROOT, stderr=stderr)
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            _wait(server)
            yield server
            if process.poll() is None:
                process.terminate()
                assert process.wait(30) == 0, log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _wait(server: Server) -> None:
    deadline = time.perf_counter() + 60
    while True:
        assert server.process.poll() is None, server.log.read_text()
        assert time.perf_counter() < deadline
        try:
            if call(server.url, "GET", "/v2/health/ready").status == 200:
                return
        except OSError:
            time.sleep(0.02)


def add(artifact: Path, repository: Path, model: str, version: str = "1") -> Path:
    """Put an artifact into the folder of models, as quickly as a rename."""
    made = repository / f".{model}-{version}"
    shutil.copytree(artifact, made)
    (repository / model).mkdir(parents=True, exist_ok=True)
    return made.rename(repository / model / version)
