"""Reloads, the end, overload and clients that leave, all under load: what a server has to get through in production."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest

from loadtests import payloads, samples
from loadtests.block import Block, Open
from loadtests.launch import Generator
from serving.engines.launch import free_port
from tests.serving import slow
from tests.serving.client import as_json, infer
from tests.serving.grpc_client import connected, request
from tests.serving.load import Clients, connect, encode, read
from tests.serving.running import Server, add, running

MODEL = "slow"
ROWS = 300
"""Of a request that takes so many times as long as the others: about a second."""
CALLERS = 32
X = np.full((1, 4), 0.5, np.float32)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that computes for a few milliseconds, and ever longer for more rows."""
    return slow.make(tmp_path_factory.mktemp("slow") / "made", products=24)


@pytest.fixture
def repository(tmp_path: Path, artifact: Path) -> Path:
    add(artifact, tmp_path / "models", MODEL)
    return tmp_path / "models"


@pytest.fixture
def server(repository: Path) -> Iterator[Server]:
    with running(repository) as found:
        yield found


# -- reloads


def test_no_request_fails_over_reloads_and_no_client_sees_an_older_version_again(
    repository: Path, artifact: Path, server: Server
) -> None:
    with Clients(server.url, encode(MODEL), connections=8, pause_s=0.02) as clients:
        for version in range(2, 102):
            if version % 10 == 1:
                add(artifact, repository, MODEL, str(version))
            assert server.load(MODEL).status == 200
    statuses = Counter(answer.status for answer in clients.answers)
    assert set(statuses) == {200}, statuses
    for answers in clients.by_client:
        versions = [answer.version for answer in answers]
        assert versions == sorted(versions)
    assert infer(server.url, MODEL, {"inputs": [as_json("x", X)]}).json["model_version"] == "101"
    assert server.index() == {(MODEL, "101"): ("READY", "")}


# -- the end


@pytest.mark.parametrize(
    "options",
    [
        {"connections": 32},
        {"connections": 32, "pause_s": 0.3},
        {"connections": 8, "pipelined": 4},
        {"connections": 8, "anew": True},
    ],
    ids=["busy connections", "connections that are idle in between", "pipelined requests", "new connections"],
)
def test_sigterm_loses_no_request(server: Server, options: dict[str, int]) -> None:
    with Clients(server.url, encode(MODEL), **options) as clients:  # type: ignore[arg-type]
        time.sleep(1)
        server.process.terminate()
        assert server.process.wait(20) == 0
        clients.join()
    statuses = Counter(answer.status for answer in clients.answers)
    assert set(statuses) == {200}, statuses
    assert len(clients.answers) > len(clients.by_client)


def test_sigterm_loses_no_request_of_connections_that_only_the_kernel_has_accepted(server: Server) -> None:
    with ExitStack() as opened:
        connections = [opened.enter_context(connect(server.url)) for _ in range(20)]
        time.sleep(1)  # idle for so long, they are closed when the server ends
        server.process.suspend()
        connections += [opened.enter_context(connect(server.url)) for _ in range(40)]
        for connection in connections:
            connection.sendall(encode(MODEL))
        server.process.terminate()
        server.process.resume()
        answers = [read(opened.enter_context(connection.makefile("rb"))) for connection in connections]
        assert Counter(answer.status for answer in answers) == {200: 60}
        assert server.process.wait(20) == 0


def test_sigterm_loses_no_call_over_grpc(repository: Path) -> None:
    port, answered, ends = free_port(), Counter[str](), list[str]()

    def ask_until_refused() -> None:
        while True:
            call = client.begin(request(MODEL, {"x": X}))
            if call.code() is not grpc.StatusCode.OK:
                ends.append(f"{call.code().name}: {call.details()}")
                return
            answered["OK"] += 1

    with running(repository, "--grpc-port", str(port)) as server, connected(port) as client:
        callers = [threading.Thread(target=ask_until_refused) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        time.sleep(0.5)
        server.process.suspend()  # calls that it has not seen yet must be taken too
        time.sleep(0.2)
        server.process.terminate()
        server.process.resume()
        assert server.process.wait(20) == 0
        for caller in callers:
            caller.join()
    assert answered["OK"] > CALLERS
    assert all("failed to connect" in end.lower() for end in ends), ends  # never taken, so never lost


def test_ready_turns_false_at_once_and_what_was_begun_is_answered(server: Server) -> None:
    long = encode(MODEL, ROWS)
    with ExitStack() as opened:
        computing, half_sent, idle, health = (opened.enter_context(connect(server.url)) for _ in range(4))
        computing.sendall(long)
        half_sent.sendall(long[:-100])
        health.sendall(_get("/v2/health/ready"))
        stream = opened.enter_context(health.makefile("rb"))
        assert read(stream).status == 200

        server.process.terminate()
        _until_draining(server)
        health.sendall(_get("/v2/health/ready"))
        answer = read(stream)
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert idle.recv(1) == b""
        time.sleep(0.3)
        half_sent.sendall(long[-100:])
        for connection in (computing, half_sent):
            with connection.makefile("rb") as stream:
                answer = read(stream)
                assert (answer.status, answer.headers.get("connection")) == (200, "close")
                assert stream.read() == b""
        assert server.process.wait(20) == 0
    with pytest.raises(OSError, match="refused"):
        connect(server.url)


def test_an_answer_that_is_read_slowly_is_written_to_its_end(server: Server) -> None:
    count = 500
    with connect(server.url) as connection:
        connection.sendall(_get("/openapi.json") * count)  # megabytes, more than the buffers of the kernel take
        time.sleep(0.5)
        server.process.terminate()
        _until_draining(server)
        with connection.makefile("rb") as stream:
            answers = [read(stream) for _ in range(count)]
            assert stream.read() == b""
    assert Counter(answer.status for answer in answers) == {200: count}
    assert server.process.wait(20) == 0


def test_requests_that_do_not_end_in_time_are_given_up(repository: Path) -> None:
    with running(repository, "--drain-s", "0.5") as server, connect(server.url) as connection:
        connection.sendall(encode(MODEL)[:-1])
        time.sleep(0.1)
        server.process.terminate()
        assert server.process.wait(10) == 1


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def _until_draining(server: Server) -> None:
    while "draining" not in server.log.read_text():
        time.sleep(0.005)
        assert server.process.poll() is None


# -- overload


def test_overload_is_refused_soon_and_leaves_nothing_behind(server: Server, tmp_path: Path) -> None:
    """At three times what it can do: nobody waits long, accepted or not, and then all is as before."""
    with Clients(server.url, encode(MODEL), connections=32) as clients:
        time.sleep(2)
    assert {answer.status for answer in clients.answers} == {200}  # a pool of clients is no overload
    rate_rps = 3 * len(clients.answers) / 2
    payloads.save(tmp_path / "payloads.npz", [{"x": X}])
    block = Block(
        url=server.url,
        protocol="oip_http",
        model=MODEL,
        payloads=str(tmp_path / "payloads.npz"),
        arrivals=Open(rate_rps),
        duration_s=5,
        seed=0,
        samples=str(tmp_path / "samples.parquet"),
    )
    with Generator((max(os.sched_getaffinity(0)),), tmp_path / "generator.log") as generator:
        result = generator.run(block)
    answer = infer(server.url, MODEL, {"inputs": [as_json("x", X)]})
    assert answer.status == 200

    seen = samples.read(result.samples)
    assert set(seen.status.tolist()) == {200, 429}, result.error_kinds
    refused = seen.status == 429
    assert 0.3 < refused.mean() < 0.9
    service_s = seen.end - seen.sent
    assert np.median(service_s[refused]) < 0.05
    assert np.median(service_s[refused]) < np.median(service_s[~refused])
    settled = seen.intended > 2
    assert np.median(service_s[settled & ~refused]) < 0.5
    assert server.metric("requests_pending") == 0
    assert server.metric('requests_refused_total{model="slow",reason="queue_full"') == refused.sum()


def test_a_deadline_is_kept_while_the_model_computes(server: Server) -> None:
    tensor = as_json("x", np.repeat(X, ROWS, axis=0))
    begun = time.perf_counter()
    assert infer(server.url, MODEL, {"inputs": [tensor]}).status == 200
    takes_s = time.perf_counter() - begun
    begun = time.perf_counter()
    answer = infer(server.url, MODEL, {"inputs": [tensor], "parameters": {"timeout": int(takes_s * 0.2e6)}})
    assert answer.status == 504
    assert time.perf_counter() - begun < takes_s


# -- clients that leave


@pytest.mark.parametrize("leave", ["closing", "resetting"])
def test_the_work_of_clients_that_left_is_dropped(server: Server, leave: str) -> None:
    waiting = [connect(server.url) for _ in range(10)]
    with connect(server.url) as computing:
        computing.sendall(encode(MODEL, ROWS))
        _until(lambda: server.metric("requests_pending") == 1)
        for connection in waiting:
            connection.sendall(encode(MODEL))
        _until(lambda: server.metric("requests_pending") == 11)
        for connection in waiting:
            if leave == "resetting":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        with computing.makefile("rb") as stream:
            assert read(stream).status == 200
    _until(lambda: server.metric("requests_pending") == 0)
    assert server.metric('requests_refused_total{model="slow",reason="cancelled"') == 10
    assert server.metric("requests_total") == 1


def test_a_client_that_leaves_while_its_request_is_computed_harms_nobody(server: Server) -> None:
    with connect(server.url) as leaving:
        leaving.sendall(encode(MODEL, ROWS))
        _until(lambda: server.metric("requests_pending") == 1)
    assert infer(server.url, MODEL, {"inputs": [as_json("x", X)]}).status == 200
    assert server.metric("requests_pending") == 0
    assert "internal error" not in server.log.read_text()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 10
    while not condition():
        assert time.perf_counter() < deadline
        time.sleep(0.005)


# -- rest


def test_an_idle_server_hardly_uses_the_cpu(server: Server) -> None:
    with ExitStack() as opened:
        for _ in range(100):
            opened.enter_context(connect(server.url))
        time.sleep(0.5)
        before = _cpu_s(server.process.pid)
        time.sleep(3)
        assert _cpu_s(server.process.pid) - before < 0.01 * 3


def _cpu_s(pid: int) -> float:
    """CPU time of all threads; psutil's is in steps of 10 ms."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
