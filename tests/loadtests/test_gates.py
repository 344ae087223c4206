"""A gate closes exactly at its limit, and names the remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from loadtests import samples
from loadtests.block import Block, Open
from loadtests.gates import REMEDIES, SPOILING, judge
from loadtests.launch import Generator
from loadtests.machine import Readings, Watch
from loadtests.samples import Figures, Percentiles

GENERATOR_CPU = max(os.sched_getaffinity(0))
BUSY = """
import os, sys
if sys.argv[1] == "real-time":
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
print(flush=True)
while True:
    pass
"""

FINE = Figures(
    blocks=1,
    requests=1000,
    errors=0,
    duration_s=5.0,
    requests_per_s=200.0,
    latency_ms=Percentiles(5.0, 6.0, 7.0),
    latency_upper_ms=Percentiles(5.1, 6.2, 7.9),
    service_ms=Percentiles(5.0, 6.0, 7.0),
    lag_ms=Percentiles(0.2, 0.3, 0.4),
    lag_p99_seen_ms=0.4,
)


def failed(figures: Figures, cpu_fraction: float = 0.1, offered_rps: float | None = 200.0) -> list[str]:
    gates = judge(figures, offered_rps=offered_rps, cpu_fraction=cpu_fraction)
    assert all(gate.remedy for gate in gates)
    json.dumps([asdict(gate) for gate in gates], allow_nan=False)
    return [gate.name for gate in gates if not gate.passed]


def test_a_good_measurement_passes() -> None:
    assert failed(FINE) == []


def test_one_answer_outside_each_short_blocks_window_is_no_shortfall() -> None:
    short = replace(FINE, blocks=2, requests=100, duration_s=2.0, requests_per_s=49.0)
    verdicts = {
        rps: {
            gate.name: gate.passed for gate in judge(replace(short, requests_per_s=rps), offered_rps=50, cpu_fraction=0)
        }
        for rps in (49.5, 49.0, 48.5)
    }
    assert {rps: verdict["achieved"] for rps, verdict in verdicts.items()} == {49.5: True, 49.0: True, 48.5: False}


@pytest.mark.parametrize(("achieved", "verdict"), [(197.9, ["achieved"]), (198.1, []), (202.1, ["achieved"])])
def test_achieved_is_within_one_percent_of_offered(achieved: float, verdict: list[str]) -> None:
    assert failed(replace(FINE, requests_per_s=achieved)) == verdict


def test_a_closed_load_offers_no_rate_to_fall_short_of() -> None:
    assert failed(replace(FINE, requests_per_s=1.0), offered_rps=None) == []


@pytest.mark.parametrize(
    ("p50", "lag", "verdict"),
    [
        (5.0, 1.0, []),
        (5.0, 1.1, ["lag"]),
        (100.0, 5.0, []),
        (100.0, 5.1, ["lag"]),
        (None, 1.1, ["lag"]),
        (5.0, float("inf"), ["lag"]),
    ],
)
def test_lag_is_at_most_a_millisecond_or_a_twentieth_of_the_median(
    p50: float | None, lag: float, verdict: list[str]
) -> None:
    assert failed(replace(FINE, latency_ms=Percentiles(p50, None, None), lag_p99_seen_ms=lag)) == verdict


@pytest.mark.parametrize(
    ("requests", "unit"),
    [
        (459, "ms at p99"),
        (458, "ms at rank 454 of 458 (too few to tell a p99)"),
        (80, "ms at rank 79 of 80 (too few to tell a p99)"),
    ],
)
def test_the_lag_is_called_a_p99_only_where_one_can_be_told(requests: int, unit: str) -> None:
    late = replace(FINE, requests=requests, lag_p99_seen_ms=5.0)
    gates = judge(late, offered_rps=200.0, cpu_fraction=0.1, least_requests=1)
    assert [gate.unit for gate in gates if not gate.passed] == [unit]


def test_a_rate_is_not_blamed_for_what_the_machine_did() -> None:
    slow = replace(FINE, requests_per_s=150.0)

    def remedy(figures: Figures, machine: Readings | None = None) -> str:
        gates = judge(figures, offered_rps=200.0, cpu_fraction=0.1, machine=machine)
        return next(gate.remedy for gate in gates if gate.name == "achieved")

    assert remedy(slow) == remedy(replace(slow, errors=3)) == "the server does not keep up with this rate: lower it"
    late = replace(slow, lag_p99_seen_ms=30.0)
    assert remedy(late, Readings(others_server_cores=0.5)).startswith("mend lag, others_server_cores first;")


@pytest.mark.parametrize(("cpu_fraction", "verdict"), [(0.79, []), (0.80, ["generator_cpu"])])
def test_the_generator_has_cpu_to_spare(cpu_fraction: float, verdict: list[str]) -> None:
    assert failed(FINE, cpu_fraction) == verdict


def test_one_error_is_too_many() -> None:
    assert failed(replace(FINE, errors=1)) == ["errors"]


def test_a_p99_needs_samples_unless_only_the_pooled_load_must_have_them() -> None:
    few = replace(FINE, requests=458)
    assert failed(few) == ["samples"]
    assert all(gate.passed for gate in judge(few, offered_rps=200.0, cpu_fraction=0.1, least_requests=1))


@pytest.mark.parametrize(
    ("name", "fine", "spoiled"),
    [
        ("others_server_cores", 0.10, 0.11),
        ("others_generator_cores", 0.10, 0.11),
        ("steal", 0.05, 0.06),
        ("frequency_ratio", 0.95, 0.94),
        ("throttled", 0, 1),
        ("processes_gone", 0, 1),
    ],
)
def test_the_machine_is_judged_by_what_it_tells(name: str, fine: float, spoiled: float) -> None:
    def failed_gates(value: Any) -> list[str]:
        seen = replace(Readings(), **{name: value})
        gates = judge(FINE, offered_rps=200.0, cpu_fraction=0.1, machine=seen)
        return [gate.name for gate in gates if not gate.passed]

    gate = name.removesuffix("_ratio")
    assert (failed_gates(fine), failed_gates(spoiled)) == ([], [gate])
    assert (gate in SPOILING) == (gate != "processes_gone")


def test_every_gate_that_asks_for_another_measurement_has_a_remedy() -> None:
    assert set(REMEDIES) > SPOILING
    assert "raise `workers`" in REMEDIES["generator_cpu"]


def test_what_the_machine_does_not_tell_is_not_judged() -> None:
    silent = judge(FINE, offered_rps=200.0, cpu_fraction=0.1, machine=Readings())
    assert silent == judge(FINE, offered_rps=200.0, cpu_fraction=0.1)


@pytest.mark.parametrize("priority", ["normal", "real-time"])
def test_a_generator_starved_of_cpu_ends_invalid(
    priority: str, fast_server: str, generator: Generator, block: Callable[..., Block]
) -> None:
    asked = block(fast_server, Open(200), duration_s=1.0)
    generator.run(asked)  # it starts with the first block: importing Locust is not what is judged here
    busy = subprocess.Popen([sys.executable, "-c", BUSY, priority], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        os.sched_setaffinity(busy.pid, {GENERATOR_CPU})
        assert busy.stdout is not None
        if not busy.stdout.readline():
            pytest.skip("not allowed to run with real-time priority")
        with Watch((), (GENERATOR_CPU,)) as watch:
            before_s = generator.cpu_s()
            result = generator.run(asked)
            used_s = generator.cpu_s() - before_s
    finally:
        busy.kill()
        busy.communicate()
    seen = watch.readings(server_cpu_s=None, generator_cpu_s=used_s)
    judged = judge(
        samples.figures(samples.read(result.samples)),
        offered_rps=result.offered_rps,
        cpu_fraction=result.generator.cpu_fraction,
        machine=seen,
        least_requests=1,
    )
    assert "others_generator_cores" in {gate.name for gate in judged if not gate.passed}
