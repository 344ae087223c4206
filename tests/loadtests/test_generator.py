"""The generator's process: it surfaces, recovers, and never outlives its host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtests import launch
from loadtests.block import Block, Open
from loadtests.errors import GeneratorError
from loadtests.launch import Generator

CPUS = sorted(os.sched_getaffinity(0))
MakeBlock = Callable[..., Block]

HOST = """
import sys
from pathlib import Path
from loadtests.launch import Generator
with Generator((int(sys.argv[1]),), Path(sys.argv[2])) as generator:
    print(generator._start().pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Generator]:
    with Generator(tuple(CPUS[-1:]), tmp_path / "generator.log") as generator:
        yield generator


def test_a_killed_generator_surfaces_and_the_next_run_starts_a_new_one(
    own: Generator, block: MakeBlock, fast_server: str
) -> None:
    own.run(block(fast_server, Open(50), duration_s=0.2))
    first = _pid(own)
    threading.Timer(0.5, os.kill, (first, signal.SIGKILL)).start()
    with pytest.raises(GeneratorError, match="ended on signal 9"):
        own.run(block(fast_server, Open(50), duration_s=5))
    assert own.run(block(fast_server, Open(50), duration_s=0.2)).errors == 0
    assert _pid(own) != first


def test_a_generator_that_died_between_blocks_surfaces(own: Generator, block: MakeBlock, fast_server: str) -> None:
    own.run(block(fast_server, Open(50), duration_s=0.2))
    os.kill(_pid(own), signal.SIGKILL)
    with pytest.raises(GeneratorError, match="ended on signal 9"):
        own.run(block(fast_server, Open(50), duration_s=0.2))


def test_a_hung_generator_is_given_up(
    own: Generator, block: MakeBlock, fast_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.run(block(fast_server, Open(50), duration_s=0.2))
    pid = _pid(own)
    monkeypatch.setattr(launch, "SETTLE_S", 0.5)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(GeneratorError, match="hung"):
        own.run(block(fast_server, Open(50), duration_s=0.2, drain_s=0.1))
    assert not _alive(pid)


def test_a_generator_that_cannot_start_shows_its_log(tmp_path: Path, block: MakeBlock) -> None:
    with Generator((4096,), tmp_path / "generator.log") as generator, pytest.raises(GeneratorError) as caught:
        generator.run(block("http://127.0.0.1:1", Open(50)))
    assert "sched_setaffinity" in caught.value.detail


def test_a_ctrl_c_leaves_the_generator_to_its_host(own: Generator, block: MakeBlock, fast_server: str) -> None:
    own.run(block(fast_server, Open(50), duration_s=0.2))
    os.kill(_pid(own), signal.SIGINT)
    assert own.run(block(fast_server, Open(50), duration_s=0.2)).errors == 0


def test_it_runs_on_its_cores_and_is_gone_after_the_with_block(
    tmp_path: Path, block: MakeBlock, fast_server: str
) -> None:
    with Generator(tuple(CPUS[-1:]), tmp_path / "generator.log") as generator:
        generator.run(block(fast_server, Open(50), duration_s=0.2))
        pid = _pid(generator)
        assert os.sched_getaffinity(pid) == set(CPUS[-1:])
    assert not _alive(pid)


def test_a_killed_host_takes_the_generator_with_it(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOST, str(CPUS[-1]), str(tmp_path / "generator.log")]
    root = Path(launch.__file__).parents[1]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        assert _alive(pid)
        host.kill()
    deadline = time.perf_counter() + 5
    while _alive(pid) and time.perf_counter() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _pid(generator: Generator) -> int:
    assert generator._process is not None
    return generator._process.pid


def _alive(pid: int) -> bool:
    """Whether the process is there and not a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
