"""The stand: small servers in processes of their own on the first core, one generator on the last."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from loadtests import payloads
from loadtests.block import Arrivals, Block
from loadtests.launch import Generator

CPUS = sorted(os.sched_getaffinity(0))
SERVER = Path(__file__).parent / "oip_server.py"


@pytest.fixture(scope="session")
def serving() -> Callable[[str], AbstractContextManager[str]]:
    """`with serving(mode) as url:` a server of its own, gone afterwards."""
    return _serving


@pytest.fixture(scope="module")
def fast_server() -> Iterator[str]:
    with _serving("fast") as url:
        yield url


@pytest.fixture(scope="session")
def inputs() -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    return [{"x": random.random((1, 64), dtype=np.float32)} for _ in range(16)]


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    with Generator(tuple(CPUS[-1:]), tmp_path_factory.mktemp("generator") / "generator.log") as generator:
        yield generator


@pytest.fixture
def block(tmp_path: Path, inputs: list[dict[str, np.ndarray]]) -> Callable[..., Block]:
    """`block(url, arrivals, …)`: files in the test's folder, two seconds of drain."""
    payloads.save(tmp_path / "payloads.npz", inputs)

    def make(url: str, arrivals: Arrivals, duration_s: float = 1.0, **others: object) -> Block:
        fields: dict[str, object] = {
            "protocol": "oip-http",
            "model": "m",
            "payloads": str(tmp_path / "payloads.npz"),
            "seed": 7,
            "samples": str(tmp_path / "samples.parquet"),
            "drain_s": 2.0,
        }
        return Block(url=url, arrivals=arrivals, duration_s=duration_s, **(fields | others))  # type: ignore[arg-type]

    return make


@contextmanager
def _serving(mode: str) -> Iterator[str]:
    """A server in that mode, on the first core; yields its URL."""
    process = subprocess.Popen([sys.executable, str(SERVER), mode], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        os.sched_setaffinity(process.pid, CPUS[:1])
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
