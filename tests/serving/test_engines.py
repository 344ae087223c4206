"""What every engine promises, asked of both."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from serving import catalog
from serving.engines.contract import Budget, Engine
from serving.errors import DidNotStart, ServerGone
from tests.serving import tiny
from tests.serving.client import probe
from tests.serving.conftest import Artifacts, server_process

SERVER = catalog.load("reference-onnx")
BUDGET = Budget(cpus=(1,), memory_bytes=2 * 2**30, pids=128)
PROBE = partial(probe, model=tiny.name("onnx"))


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in catalog.names() for form in catalog.load(name).formats]
)
def test_every_server_is_built_and_serves(engine: Engine, name: str, form: str, artifacts: Artifacts) -> None:
    artifact, server = artifacts(form), catalog.load(name)
    prepared = engine.prepare(server, print)
    assert prepared.total_bytes > (prepared.base_bytes or 0)
    with engine.deploy(server, artifact, BUDGET, partial(probe, model=tiny.name(form)), "oip-http") as deployment:
        assert 0 < deployment.cold_start_s < 60
        assert deployment.url.startswith("http://127.0.0.1:")
        assert probe(deployment.url, tiny.name(form))


def test_a_format_without_a_tiny_artifact_is_skipped_with_what_to_add(artifacts: Artifacts) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"no tiny artifact of mine: add .* tests/serving/tiny\.py"):
        artifacts("mine")


def test_usage_grows_with_work_and_not_without(engine: Engine, artifacts: Artifacts) -> None:
    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as deployment:
        before = deployment.usage()
        for _ in range(200):
            PROBE(deployment.url)
        after = deployment.usage()
        assert 0.01 < after.cpu_s - before.cpu_s < 5
        assert 2**24 < after.memory_bytes <= after.memory_peak_bytes < BUDGET.memory_bytes
        time.sleep(0.5)
        assert deployment.usage().cpu_s - after.cpu_s < 0.02


def test_over_grpc_it_listens_for_both_and_over_http_for_one(engine: Engine, artifacts: Artifacts) -> None:
    for protocol, scheme, ports in (("oip-grpc", "grpc", 2), ("oip-http", "http", 1)):
        with engine.deploy(SERVER, artifacts("onnx"), BUDGET, _accepts, protocol) as deployment:
            assert deployment.url.startswith(f"{scheme}://127.0.0.1:")
            process = server_process(deployment.url)
            assert process is not None
            deadline = time.perf_counter() + 10  # it listens for the one a little sooner than for the other
            while _listens(process) < ports and time.perf_counter() < deadline:
                time.sleep(0.02)
            assert _listens(process) == ports


def _listens(process: psutil.Process) -> int:
    return sum(each.status == psutil.CONN_LISTEN for each in process.net_connections("tcp"))


def _accepts(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
    except OSError:
        return False
    return True


def test_another_port_of_grpc_is_tried_where_the_first_is_taken(
    engine: Engine, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.engines import launch

    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([launch.free_port(), taken.getsockname()[1], launch.free_port(), launch.free_port()])
        asked = []

        def accepts(url: str) -> bool:
            asked.append(url)
            return _accepts(url) and len(set(asked)) > 1  # whoever accepts on the first port is not the server

        monkeypatch.setattr(launch, "free_port", lambda: next(ports))
        with engine.deploy(SERVER, artifacts("onnx"), BUDGET, accepts, "oip-grpc") as deployment:
            assert not deployment.url.endswith(f":{taken.getsockname()[1]}")


def test_usage_names_the_processes_so_that_one_that_ended_is_missed(engine: Engine, artifacts: Artifacts) -> None:
    code = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    server = SERVER.model_copy(update={"command": ("-c", code)})
    with engine.deploy(server, artifacts("onnx"), BUDGET, lambda _: True, "oip-http") as deployment:
        deadline = time.perf_counter() + 10
        while len(before := deployment.usage().processes) < 2 and time.perf_counter() < deadline:
            time.sleep(0.02)
        assert deployment.usage().processes == before
        child = max(before, key=lambda process: process[1])
        psutil.Process(child[0]).kill()
        while deployment.usage().processes == before and time.perf_counter() < deadline:
            time.sleep(0.02)
        assert before - deployment.usage().processes == {child}


def test_a_paused_server_uses_no_cpu_and_a_resumed_one_answers(engine: Engine, artifacts: Artifacts) -> None:
    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as deployment:
        deployment.pause()
        before = deployment.usage()
        time.sleep(0.5)
        assert deployment.usage().cpu_s == before.cpu_s
        deployment.resume()
        deployment.resume()  # once more does no harm
        assert PROBE(deployment.url)


def test_the_cpuset_is_the_budgets(engine: Engine, artifacts: Artifacts) -> None:
    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as deployment:
        process = server_process(deployment.url)
        assert process is not None
        assert process.cpu_affinity() == [1]


def test_several_servers_stand_side_by_side(engine: Engine, artifacts: Artifacts) -> None:
    with (
        engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as one,
        engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as other,
    ):
        assert one.url != other.url
        one.pause()
        assert PROBE(other.url)


def test_the_log_is_there_while_it_runs_and_kept_afterwards(engine: Engine, artifacts: Artifacts, logs: Path) -> None:
    line = f'"event":"loaded","model":"{tiny.name("onnx")}"'
    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as deployment:
        assert line in deployment.logs()
    assert line in (logs / f"reference-onnx-{tiny.name('onnx')}.log").read_text()


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_it_is_gone_after_an_exception(
    engine: Engine, artifacts: Artifacts, error: type[BaseException], paused: bool
) -> None:
    url = ""
    with (  # noqa: PT012  # the deployment's block is what is tested
        pytest.raises(error),
        engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as deployment,
    ):
        url = deployment.url
        if paused:
            deployment.pause()
        raise error
    assert server_process(url) is None
    assert not PROBE(url)


def test_a_server_that_ended_is_gone_for_good(engine: Engine, artifacts: Artifacts) -> None:
    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as deployment:
        process = server_process(deployment.url)
        assert process is not None
        process.kill()
        process.wait(5)
        with pytest.raises(ServerGone):
            deployment.usage()
        with pytest.raises(ServerGone):
            deployment.pause()


def test_a_broken_artifact_does_not_start_and_says_why(engine: Engine, artifacts: Artifacts, tmp_path: Path) -> None:
    folder = shutil.copytree(artifacts("onnx"), tmp_path / "artifact")
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    with (
        pytest.raises(DidNotStart, match=r"exited with 1: .*model\.onnx: was changed") as caught,
        engine.deploy(SERVER, folder, BUDGET, PROBE, "oip-http"),
    ):
        pass
    assert "was changed" in caught.value.detail


def test_an_artifact_that_only_its_owner_may_read_is_served(
    engine: Engine, artifacts: Artifacts, tmp_path: Path
) -> None:
    folder = shutil.copytree(artifacts("onnx"), tmp_path / "artifact")
    folder.chmod(0o700)
    (folder / "model.onnx").chmod(0o600)
    with engine.deploy(SERVER, folder, BUDGET, PROBE, "oip-http") as deployment:
        assert PROBE(deployment.url)


def test_a_server_that_is_never_ready_is_given_up(engine: Engine, artifacts: Artifacts) -> None:
    code = "import time; print('still loading', flush=True); time.sleep(60)"
    server = SERVER.model_copy(update={"command": ("-c", code), "start_timeout_s": 1.0})
    started = time.perf_counter()
    with (
        pytest.raises(DidNotStart, match="no correct response within 1 s") as caught,
        engine.deploy(server, artifacts("onnx"), BUDGET, PROBE, "oip-http"),
    ):
        pass
    assert "still loading" in caught.value.detail
    assert time.perf_counter() - started < 15


def test_cpus_that_are_not_there_are_one_clear_line(engine: Engine, artifacts: Artifacts) -> None:
    budget = Budget(cpus=(511,), memory_bytes=2**30, pids=64)
    with (
        pytest.raises(DidNotStart, match=r"(?i)cpus") as caught,
        engine.deploy(SERVER, artifacts("onnx"), budget, PROBE, "oip-http"),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_probe_that_finds_a_wrong_answer_ends_the_deployment(engine: Engine, artifacts: Artifacts) -> None:
    def wrong(url: str) -> bool:
        raise ValueError(f"wrong answer from {url}")

    with (
        pytest.raises(ValueError, match="wrong answer") as caught,
        engine.deploy(SERVER, artifacts("onnx"), BUDGET, wrong, "oip-http"),
    ):
        pass
    assert server_process(str(caught.value).rpartition(" ")[2]) is None


def test_another_port_is_tried_where_the_first_is_taken(
    engine: Engine, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.engines import launch

    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as first:
        taken = int(first.url.rpartition(":")[2])
        ports = iter([taken, launch.free_port()])
        monkeypatch.setattr(launch, "free_port", lambda: next(ports))
        first.pause()  # or the probe would find it at the taken port, and take it for the second
        with engine.deploy(SERVER, artifacts("onnx"), BUDGET, _quick_probe, "oip-http") as second:
            assert second.url != first.url


def _quick_probe(url: str) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=0.3) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_what_a_killed_run_leaves_is_swept_and_the_living_left_alone(
    engine: Engine, artifacts: Artifacts, logs: Path
) -> None:
    command = [sys.executable, "-m", "tests.serving.killed_run", engine.name, str(artifacts("onnx")), str(logs)]
    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http") as living:
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert run.stdout is not None
            url, child = run.stdout.readline().split()
        finally:
            run.kill()
            run.wait()
        removed = engine.sweep()
        assert any("run-that-was-killed" in line for line in removed), removed
        deadline = time.perf_counter() + 5
        while server_process(url) is not None and time.perf_counter() < deadline:
            time.sleep(0.05)
        assert server_process(url) is None
        assert engine.sweep() == []
        assert PROBE(living.url)
    subprocess.run(["kill", "-9", child], check=False, capture_output=True)  # docker's sweep leaves processes alone
