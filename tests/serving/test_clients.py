"""The standard clients, in an environment of their own, against every runtime: the server is found right by others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from serving.engines import environments
from serving.engines.launch import free_port
from serving.reference.datatypes import NUMPY
from tests.serving import echo, fresh, slow, tiny
from tests.serving.clients.driver import OK, Case
from tests.serving.conftest import ROOT, RUNTIMES, Artifacts, Serve

REQUIREMENTS = Path(__file__).parent / "clients" / "requirements.txt"
CLIENTS = {
    "tritonclient.http": ["triton", "http"],
    "tritonclient.http.aio": ["triton", "http.aio"],
    "tritonclient.grpc": ["triton", "grpc"],
    "tritonclient.grpc.aio": ["triton", "grpc.aio"],
    "kserve.InferenceRESTClient": ["kserve_rest"],
    "kserve.InferenceGRPCClient": ["kserve_grpc"],
    "curl": ["curl"],
}
"""The driver of each client, and its arguments."""

TYPED_CLIENTS = [client for client in CLIENTS if client != "curl"]
TENSORFLOW_SERVING = ["tfs_grpc"]

SERVED = [(form, runtime) for form, found in RUNTIMES.items() for runtime in found if form != "aot_inductor"]
"""An AOTInductor package is run by the same runtime as the other two of libtorch, and takes a compiler to make."""

Drive = Callable[[list[str], Case], None]


class Driver:
    """A client's driver in a process of its own, which is asked again and again: importing a client takes a second."""

    def __init__(self, python: str, module: str, *arguments: str) -> None:
        command = [python, "-m", f"tests.serving.clients.{module}", *arguments]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def drive(self, case: Case) -> dict[str, str]:
        """What became of every step; a driver that hangs is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(case)) + "\n")
        watchdog = threading.Timer(60, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        assert line, f"the driver ended with exit status {self._process.wait()}, or was killed after a minute"
        report: dict[str, str] = json.loads(line)
        return report

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def drive() -> Iterator[Drive]:
    """Have a driver go through its steps, and expect all of them to be right."""
    python = environments.ensure("clients", REQUIREMENTS, ROOT / ".cache", print) / "bin" / "python"
    drivers: dict[str, Driver] = {}

    def ask(driver: list[str], case: Case) -> None:
        if driver == CLIENTS["curl"] and shutil.which("curl") is None:
            pytest.skip("no curl on this machine")
        name = " ".join(driver)
        if name not in drivers:
            drivers[name] = Driver(sys.executable if driver == TENSORFLOW_SERVING else str(python), *driver)
        report = drivers[name].drive(case)
        assert report
        wrong = [f"{step}: {outcome}" for step, outcome in report.items() if outcome != OK]
        assert not wrong, "\n".join(wrong)

    yield ask
    for driver in drivers.values():
        driver.end()


@pytest.fixture(scope="module", params=SERVED, ids="-".join)
def served(request: pytest.FixtureRequest, artifacts: Artifacts, serve: Serve) -> Iterator[Case]:
    """The tiny model on each runtime."""
    form, runtime = request.param
    port = free_port()
    with serve(artifacts(form), runtime, "--grpc-port", str(port)) as url:
        yield Case("tiny", url.removeprefix("http://"), f"127.0.0.1:{port}", tiny.name(form), f"{runtime}_{form}")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_standard_client_finds_every_runtime_right(client: str, served: Case, drive: Drive) -> None:
    drive(CLIENTS[client], served)


@pytest.fixture(scope="module")
def slow_and_small(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder, port = slow.make(tmp_path_factory.mktemp("slow") / "model", products=300), free_port()
    with serve(folder, "onnxruntime", "--grpc-port", str(port), "--max-body-bytes", "100000") as url:
        address = url.removeprefix("http://")
        yield Case("slow", address, f"127.0.0.1:{port}", tiny.name("onnx"), "onnxruntime_onnx")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_standard_client_hears_clearly_what_was_too_late_or_too_large(
    client: str, slow_and_small: Case, drive: Drive
) -> None:
    drive(CLIENTS[client], slow_and_small)


@pytest.mark.parametrize("served", [("savedmodel", "tensorflow")], indirect=True, ids="-".join)
def test_tensorflow_servings_stubs_find_its_runtime_right(served: Case, drive: Drive) -> None:
    drive(TENSORFLOW_SERVING, served)


@pytest.fixture(scope="module", params=["onnx", "savedmodel"])
def echoing(request: pytest.FixtureRequest, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """One input and one output of every datatype; the second model has no FP16, which is no typed content of gRPC."""
    form, runtime = request.param, RUNTIMES[request.param][0]
    dtypes = tuple(dtype for dtype in NUMPY.values() if form == "onnx" or dtype != "float16")
    folder, port = tmp_path_factory.mktemp("echo"), free_port()
    fresh.call(_make_echo, form, folder, dtypes)
    with serve(folder, runtime, "--grpc-port", str(port)) as url:
        address = url.removeprefix("http://")
        yield Case("echo", address, f"127.0.0.1:{port}", tiny.name(form), f"{runtime}_{form}", dtypes)


def _make_echo(form: str, folder: Path, dtypes: tuple[str, ...]) -> None:
    echo.make(form, folder, dtypes)


@pytest.mark.parametrize("client", TYPED_CLIENTS)
def test_a_standard_client_finds_every_datatype_right(client: str, echoing: Case, drive: Drive) -> None:
    drive(CLIENTS[client], echoing)
