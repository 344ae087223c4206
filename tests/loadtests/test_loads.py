"""Blocks against real servers: what is measured, and that what goes wrong is counted and never hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtests import gates, responses, samples
from loadtests.block import Block, Closed, Open
from loadtests.errors import GeneratorError
from loadtests.launch import Generator

MakeBlock = Callable[..., Block]
Serving = Callable[[str], AbstractContextManager[str]]


@pytest.mark.slow
def test_a_stalled_server_shows_in_the_tail(generator: Generator, block: MakeBlock, serving: Serving) -> None:
    with serving("stall") as url:
        result = generator.run(block(url, Open(200), duration_s=20))
    p99 = samples.figures(samples.read(result.samples)).latency_ms.p99
    assert result.requests == 4000
    assert result.errors == 0
    assert p99 is not None
    assert 70 <= p99 <= 110  # it stalls 100 ms every 2 s


def test_an_open_load_holds_its_rate_and_passes_its_gates(
    generator: Generator, block: MakeBlock, fast_server: str
) -> None:
    result = generator.run(block(fast_server, Open(200), duration_s=3))
    figures = samples.figures(samples.read(result.samples))
    assert result.offered_rps == 200
    assert result.achieved_rps == pytest.approx(200, rel=0.01)
    assert (result.requests, result.errors) == (600, 0)
    judged = gates.judge(
        figures, offered_rps=result.offered_rps, cpu_fraction=result.generator.cpu_fraction, least_requests=459
    )
    # The lag is that of the machine the tests run on, which others share: benchmarks judge it.
    assert [gate.name for gate in judged if not gate.passed and gate.name != "lag"] == []


def test_an_open_load_starts_on_schedule_whatever_the_server_does(
    generator: Generator, block: MakeBlock, serving: Serving
) -> None:
    with serving("slow") as url:
        result = generator.run(block(url, Open(100)))
    raw = samples.read(result.samples)
    np.testing.assert_allclose(raw.intended, np.arange(100) / 100, atol=1e-6)
    assert np.all(raw.sent >= raw.intended)
    assert np.all(raw.end - raw.sent >= 0.02)
    # Five times as many in flight at once as a client that waits for its answers would have had.
    assert result.achieved_rps == pytest.approx(100, rel=0.02)


def test_a_closed_load_has_one_request_in_flight_per_user(
    generator: Generator, block: MakeBlock, serving: Serving
) -> None:
    with serving("slow") as url:
        result = generator.run(block(url, Closed(users=3), duration_s=2))
    raw = samples.read(result.samples)
    in_flight = [np.count_nonzero((raw.sent <= instant) & (raw.end > instant)) for instant in raw.sent]
    assert max(in_flight) == 3
    assert result.offered_rps is None
    assert 100 <= result.achieved_rps <= 150  # 3 users, 20 ms and a little each
    assert result.requests - 3 <= result.achieved_rps * 2 <= result.requests


def test_a_user_thinks_before_its_next_request(generator: Generator, block: MakeBlock, fast_server: str) -> None:
    result = generator.run(block(fast_server, Closed(users=2, think_s=0.1)))
    raw = samples.read(result.samples)
    assert result.errors == 0
    assert 8 <= len(raw.ok) <= 20  # 2 users, 0.1 s and a little each
    assert np.all(raw.sent >= raw.intended)


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("status_500", "status_500", "out of cheese"),
        ("close", "closed", "closed the connection"),
        ("short", "malformed", "broke off"),
        ("long", "malformed", "not HTTP"),
        ("hang", "timeout", "no answer"),
    ],
)
@pytest.mark.parametrize("arrivals", [Open(50), Closed(users=2)], ids=["open", "closed"])
def test_errors_are_counted_and_never_hang(
    generator: Generator,
    block: MakeBlock,
    arrivals: Open | Closed,
    mode: str,
    kind: str,
    words: str,
    serving: Serving,
) -> None:
    begun = time.perf_counter()
    with serving(mode) as url:
        result = generator.run(block(url, arrivals, duration_s=0.5, drain_s=0.5))
    assert time.perf_counter() - begun < 10
    assert result.errors == result.requests > 0
    assert result.achieved_rps == 0
    assert [each.kind for each in result.error_kinds] == [kind]
    assert words in result.error_kinds[0].example


def test_a_server_that_dies_in_the_middle_is_counted_from_there(
    generator: Generator, block: MakeBlock, serving: Serving
) -> None:
    with serving("die") as url:
        result = generator.run(block(url, Open(200)))
    raw = samples.read(result.samples)
    assert np.count_nonzero(raw.ok) == 100  # it serves a hundred
    assert result.errors == 100
    assert {kind.kind for kind in result.error_kinds} <= {"closed", "refused"}


def test_an_overload_ends_in_time_and_every_request_is_accounted_for(
    generator: Generator, block: MakeBlock, serving: Serving
) -> None:
    with serving("hang") as url:
        result = generator.run(block(url, Open(20_000), drain_s=0.5))
    raw = samples.read(result.samples)
    assert len(raw.ok) == result.errors == 20_000
    assert np.count_nonzero(np.isfinite(raw.sent)) <= 1024  # more connections than that it never opens
    assert result.generator.wall_s < 15


def test_a_closed_load_does_not_spin_on_a_dead_server(generator: Generator, block: MakeBlock, serving: Serving) -> None:
    with serving("fast") as url:
        pass
    result = generator.run(block(url, Closed(users=4)))
    assert result.errors == result.requests <= 44
    assert result.generator.cpu_fraction < 0.5


def test_kept_responses_are_those_of_their_payloads(
    generator: Generator, block: MakeBlock, fast_server: str, inputs: list[dict[str, np.ndarray]], tmp_path: Path
) -> None:
    asked = block(fast_server, Open(100), keep_responses=10, responses=str(tmp_path / "responses.npz"))
    first = generator.run(asked)
    kept = responses.load(str(first.responses))
    assert len(kept) == 10
    for response in kept:
        np.testing.assert_array_equal(response.outputs["y"], inputs[response.payload]["x"])
    again = responses.load(str(generator.run(asked).responses))
    assert [response.payload for response in again] == [response.payload for response in kept]


def test_a_kept_response_that_cannot_be_decoded_is_an_error(
    generator: Generator, block: MakeBlock, tmp_path: Path, serving: Serving
) -> None:
    with serving("wrong_length") as url:
        asked = block(url, Open(50), keep_responses=10, responses=str(tmp_path / "responses.npz"))
        result = generator.run(asked)
    assert [(kind.kind, kind.count) for kind in result.error_kinds] == [("undecodable", 10)]
    assert responses.load(str(result.responses)) == []
    assert np.count_nonzero(~samples.read(result.samples).ok) == 10


def test_the_same_seed_sends_the_same_requests(generator: Generator, block: MakeBlock, fast_server: str) -> None:
    asked = block(fast_server, Open(100))
    first, again, other = (
        samples.read(generator.run(each).samples).payload for each in (asked, asked, replace(asked, seed=8))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_block_that_cannot_be_driven_says_why_and_the_next_one_runs(
    generator: Generator, block: MakeBlock, fast_server: str
) -> None:
    asked = block(fast_server, Open(50))
    with pytest.raises(GeneratorError, match=r"unknown protocol 'carrier-pigeon'; known: .*oip-http"):
        generator.run(replace(asked, protocol="carrier-pigeon"))
    assert generator.run(asked).errors == 0
