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


def _twice(script: str, log: Path) -> list[str]:
    """What two processes printed that were started one after the other."""
    budget = Budget(tuple(os.sched_getaffinity(0)), memory_bytes=0, pids=0)
    printed = []
    for _ in range(2):
        with log.open("wb") as file:
            assert processes.spawn([sys.executable, "-c", script], budget, file.fileno()).wait() == 0
        printed.append(log.read_text())
    return printed


def test_two_starts_hash_alike(tmp_path: Path) -> None:
    first, second = _twice("print(hash('a'))", tmp_path / "log")
    assert first == second


def test_two_starts_lie_in_memory_alike(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None)
    before = libc.personality(QUERY)
    if libc.personality(before | ADDR_NO_RANDOMIZE) == -1:
        pytest.skip("personality(2) refuses ADDR_NO_RANDOMIZE here, as Docker's seccomp profile does")
    libc.personality(before)
    first, second = _twice("import sys; print(id(object), id(sys.argv))", tmp_path / "log")
    assert first == second
