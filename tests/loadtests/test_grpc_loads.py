"""Blocks over gRPC: no call waits for another, and what goes wrong is counted by gRPC's own words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from loadtests import samples
from loadtests.block import Block, Closed, Open
from loadtests.launch import Generator

SERVER = Path(__file__).parent / "grpc_server.py"
MakeBlock = Callable[..., Block]


@contextmanager
def serving(mode: str) -> Iterator[str]:
    with subprocess.Popen([sys.executable, str(SERVER), mode], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"grpc://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def test_calls_do_not_wait_for_each_other(generator: Generator, block: MakeBlock) -> None:
    with serving("slow") as url:
        result = generator.run(block(url, Open(500), protocol="oip-grpc"))
    raw = samples.read(result.samples)
    assert (result.requests, result.errors) == (500, 0)
    assert np.all(raw.end - raw.sent >= 0.02)
    assert np.all(raw.status == 200)
    assert np.count_nonzero((raw.sent <= 0.5) & (raw.end > 0.5)) >= 5


@pytest.mark.parametrize("arrivals", [Open(50), Closed(2)], ids=["open", "closed"])
@pytest.mark.parametrize(
    ("mode", "kind", "status"), [("exhausted", "grpc_resource_exhausted", 1008), ("hang", "timeout", 0)]
)
def test_errors_are_counted_and_never_hang(
    generator: Generator, block: MakeBlock, arrivals: Open | Closed, mode: str, kind: str, status: int
) -> None:
    with serving(mode) as url:
        result = generator.run(block(url, arrivals, duration_s=0.5, drain_s=0.5, protocol="oip-grpc"))
    assert result.errors == result.requests > 0
    assert [each.kind for each in result.error_kinds] == [kind]
    assert np.all(samples.read(result.samples).status == status)


def test_more_calls_than_connections_have_room_for_end_in_time(generator: Generator, block: MakeBlock) -> None:
    with serving("hang") as url:
        result = generator.run(block(url, Open(2000), drain_s=0.5, protocol="oip-grpc"))
    assert [each.kind for each in result.error_kinds] == ["timeout"]
    assert np.count_nonzero(np.isfinite(samples.read(result.samples).sent)) <= 1024
    assert result.generator.wall_s < 15


def test_a_server_that_is_not_there_is_unavailable(generator: Generator, block: MakeBlock) -> None:
    result = generator.run(block("grpc://127.0.0.1:1", Open(20), protocol="oip-grpc"))
    assert [each.kind for each in result.error_kinds] == ["grpc_unavailable"]
