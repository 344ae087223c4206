"""Several workers are one generator: the same schedule, one result, and nobody lost or left behind in silence."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import psutil
import pytest

from loadtests import clock, launch, merge, responses, samples, wire
from loadtests.block import Block, Closed, ErrorKind, Open, Replay
from loadtests.errors import GeneratorError
from loadtests.launch import Generator
from loadtests.worker import check_reachable
from serving.engines.launch import free_port
from tests.loadtests.joining import by_hand

CPUS = sorted(os.sched_getaffinity(0))
ROOT = Path(launch.__file__).parents[1]
MakeBlock = Callable[..., Block]
Serving = Callable[[str], AbstractContextManager[str]]

HOST = """
import sys
from pathlib import Path
from loadtests.launch import Generator
with Generator((int(sys.argv[1]),), Path(sys.argv[2]), workers=2) as generator:
    print(generator._start().pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    with Generator(tuple(CPUS[-1:]), tmp_path_factory.mktemp("two") / "generator.log", workers=2) as generator:
        yield generator


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Generator]:
    with Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", workers=2) as generator:
        yield generator


@pytest.mark.parametrize("arrivals", [Open(200), Open(200, "poisson")], ids=["constant", "poisson"])
def test_two_workers_send_what_one_process_sends(
    two: Generator, generator: Generator, block: MakeBlock, fast_server: str, arrivals: Open, tmp_path: Path
) -> None:
    asked = block(fast_server, arrivals, keep_responses=10, responses=str(tmp_path / "responses.npz"))
    results = [generator.run(asked)]
    kept = [responses.load(str(results[0].responses))]
    raw = [samples.read(results[0].samples)]
    results.append(two.run(asked))
    kept.append(responses.load(str(results[1].responses)))
    raw.append(samples.read(results[1].samples))
    np.testing.assert_allclose(raw[0].intended, raw[1].intended, atol=1e-6)
    np.testing.assert_array_equal(raw[0].payload, raw[1].payload)
    assert sorted(each.payload for each in kept[0]) == sorted(each.payload for each in kept[1])
    assert results[0].offered_rps == results[1].offered_rps
    for result in results:
        assert result.errors == 0
        assert result.achieved_rps == pytest.approx(result.offered_rps, rel=0.01)
    assert results[1].clock_error_ms is None


def test_a_recorded_schedule_reaches_the_workers(
    two: Generator, block: MakeBlock, fast_server: str, tmp_path: Path
) -> None:
    recording = tmp_path / "recording.csv"
    recording.write_text("instant_s,payload\n0.1,3\n0.2,1\n0.25,4\n")
    raw = samples.read(two.run(block(fast_server, Replay(str(recording)), duration_s=0.5)).samples)
    np.testing.assert_allclose(raw.intended, [0.1, 0.2, 0.25], atol=1e-6)
    np.testing.assert_array_equal(raw.payload, [3, 1, 4])


@pytest.mark.parametrize("users", [3, 1])
def test_closed_users_are_divided(two: Generator, block: MakeBlock, serving: Serving, users: int) -> None:
    with serving("slow") as url:
        result = two.run(block(url, Closed(users)))
    raw = samples.read(result.samples)
    in_flight = [np.count_nonzero((raw.sent <= instant) & (raw.end > instant)) for instant in raw.sent]
    assert max(in_flight) == users
    assert result.offered_rps is None
    assert np.all(np.diff(raw.intended) >= 0)


def test_error_kinds_of_all_workers_are_added_up(two: Generator, block: MakeBlock, serving: Serving) -> None:
    with serving("status_500") as url:
        result = two.run(block(url, Open(50), duration_s=0.5))
    assert [(kind.kind, kind.count) for kind in result.error_kinds] == [("status_500", 25)]
    assert result.errors == result.requests == 25


def test_a_killed_worker_makes_the_block_an_error_and_the_next_one_works(
    own: Generator, block: MakeBlock, fast_server: str
) -> None:
    asked = block(fast_server, Open(50), duration_s=0.2)
    own.run(asked)
    victim = _workers(own)[0]
    threading.Timer(0.5, os.kill, (victim.pid, signal.SIGKILL)).start()
    with pytest.raises(GeneratorError, match=rf"worker \d \(pid {victim.pid}\) ended on signal 9"):
        own.run(dataclasses.replace(asked, duration_s=5.0))
    assert own.run(asked).errors == 0


def test_a_silent_worker_is_given_up(
    tmp_path: Path, block: MakeBlock, fast_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "SILENCE_S", 2.5)
    with Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", workers=2) as own:
        own.run(block(fast_server, Open(50), duration_s=0.2))
        victim = _workers(own)[1]
        victim.suspend()
        with pytest.raises(GeneratorError, match=rf"\(pid {victim.pid}\) has been silent"):
            own.run(block(fast_server, Open(50), duration_s=10))
    psutil.wait_procs([victim], timeout=5)
    assert not victim.is_running()


def test_a_block_that_cannot_be_driven_says_why(two: Generator, block: MakeBlock, fast_server: str) -> None:
    with pytest.raises(GeneratorError, match=r"worker .*unknown protocol 'carrier-pigeon'"):
        two.run(block(fast_server, Open(50), protocol="carrier-pigeon"))
    assert two.run(block(fast_server, Open(50), duration_s=0.2)).errors == 0


def test_workers_are_on_the_generators_cores_and_gone_after_the_with_block(
    tmp_path: Path, block: MakeBlock, fast_server: str
) -> None:
    with Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", workers=2) as generator:
        generator.run(block(fast_server, Open(50), duration_s=0.2))
        workers = _workers(generator)
        assert [worker.cpu_affinity() for worker in workers] == [CPUS[-1:]] * 2
        assert generator.cpu_s() > 0
    gone, _ = psutil.wait_procs(workers, timeout=5)
    assert len(gone) == 2
    assert [path.name for path in tmp_path.iterdir() if "workers" in path.name] == []


def test_a_killed_host_takes_master_and_workers_with_it(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOST, str(CPUS[-1]), str(tmp_path / "generator.log")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as host:
        assert host.stdout is not None
        master = psutil.Process(int(host.stdout.readline()))
        family = [master, *master.children(recursive=True)]
        assert len(family) == 3
        host.kill()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_worker_started_by_hand_joins_and_waits_for_the_next_run(
    tmp_path: Path, block: MakeBlock, fast_server: str
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    said: list[str] = []
    with by_hand(listen, CPUS[-1], tmp_path / "by_hand.log"):
        for _ in range(2):
            with Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", 1, 1, listen, said.append) as generator:
                result = generator.run(block(fast_server, Open(200)))
            assert (result.requests, result.errors) == (200, 0)
            raw = samples.read(result.samples)
            np.testing.assert_allclose(raw.intended, np.arange(200) / 200, atol=1e-6)
            # One clock in truth: what was estimated must lie within what it claims, and small.
            assert result.clock_error_ms is not None
            assert 0 < result.clock_error_ms < 100
    assert f"deploy-compare worker {listen}" in said[0]
    assert "joined" in said[1]


def test_workers_that_do_not_come_are_named_as_missing(
    tmp_path: Path, block: MakeBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "JOIN_S", 0.5)
    listen = f"127.0.0.1:{free_port()}"
    with (
        Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", 1, 2, listen, lambda _: None) as generator,
        pytest.raises(GeneratorError, match=r"for 3 workers, 2 of them on other hosts; came: worker 1 \(pid \d+\)$"),
    ):
        generator.run(block("http://127.0.0.1:1", Open(50)))


def test_a_worker_of_another_version_is_refused_on_both_sides(tmp_path: Path, block: MakeBlock) -> None:
    def waited_enough(said: str) -> None:
        if "refused" in said:
            raise KeyboardInterrupt(said)

    shutil.copytree(ROOT / "loadtests", tmp_path / "loadtests", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "loadtests" / "newer.py").write_text("")
    listen = f"127.0.0.1:{free_port()}"
    code = "import sys; from loadtests.join import serve; serve(sys.argv[1], (int(sys.argv[2]),), print)"
    arguments = [sys.executable, "-c", code, listen, str(CPUS[-1])]
    with (
        subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path) as other,
        Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", 1, 1, listen, waited_enough) as generator,
    ):
        with pytest.raises(KeyboardInterrupt, match=r"refused worker .*: it has .*, this host has "):
            generator.run(block("http://127.0.0.1:1", Open(50)))
        assert other.stderr is not None
        assert b"refused: it has" in other.stderr.read()
        assert other.wait(timeout=5) == 1


def test_a_taken_port_is_named(tmp_path: Path, block: MakeBlock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", 1, 1, listen, lambda _: None) as generator,
            pytest.raises(GeneratorError, match=f"cannot wait for workers at {listen}: .*in use"),
        ):
            generator.run(block("http://127.0.0.1:1", Open(50)))


@pytest.mark.parametrize("text", ["5557", "host", ":5557", "host:http", "host:70000"])
def test_an_address_is_host_and_port(text: str, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="expected HOST:PORT"):
        Generator(tuple(CPUS[-1:]), tmp_path / "generator.log", listen=text)


def test_the_clock_offset_is_that_of_the_shortest_exchange_and_within_its_error() -> None:
    ahead = 1000.0
    pings = [
        clock.Ping(sent, sent + there + ahead, sent + there + back)
        for sent, there, back in [(0.0, 0.010, 0.001), (1.0, 0.002, 0.001), (2.0, 0.001, 0.040)]
    ]
    found = clock.offset(pings)
    assert found.error_s == pytest.approx(0.0015)
    assert abs(found.seconds - ahead) <= found.error_s


def test_files_travel_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PART_BYTES", 1000)
    (tmp_path / "there").mkdir()
    for content in (os.urandom(2500), b"", os.urandom(2000)):
        (tmp_path / "file").write_bytes(content)
        for part in wire.parts(tmp_path / "file", "../file"):
            wire.receive(tmp_path / "there", part)
        assert (tmp_path / "there" / "file").read_bytes() == content


def test_error_kinds_are_merged_most_frequent_first() -> None:
    merged = merge.error_kinds(
        [(ErrorKind("closed", 1, "a"),), (ErrorKind("timeout", 3, "b"), ErrorKind("closed", 1, "c"))]
    )
    assert merged == (ErrorKind("timeout", 3, "b"), ErrorKind("closed", 2, "a"))


def test_another_hosts_loopback_needs_its_port_forwarded() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    check_reachable(url, same_host=True)
    with pytest.raises(GeneratorError, match="forward the port"):
        check_reachable(url, same_host=False)


def _workers(generator: Generator) -> list[psutil.Process]:
    assert generator._process is not None
    return psutil.Process(generator._process.pid).children()
