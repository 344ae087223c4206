"""How a server's process is started."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest

from serving.engines import processes
from serving.engines.confine import ADDR_NO_RANDOMIZE
from serving.engines.contract import Budget

QUERY = 0xFFFFFFFF
WHERE = "import sys; print(hash('a'), id(object), id(sys.argv))"


def _printed(script: str, log: Path) -> str:
    budget = Budget(tuple(os.sched_getaffinity(0)), memory_bytes=0, pids=0)
    with log.open("wb") as file:
        assert processes.spawn([sys.executable, "-c", script], budget, file.fileno()).wait() == 0
    return log.read_text()


def test_two_starts_lie_in_memory_alike_and_hash_alike(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None)
    before = libc.personality(QUERY)
    if libc.personality(before | ADDR_NO_RANDOMIZE) == -1:
        pytest.skip("this machine forbids it")
    libc.personality(before)
    assert _printed(WHERE, tmp_path / "a") == _printed(WHERE, tmp_path / "b")
