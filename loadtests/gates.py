"""Whether a measurement may be believed: each gate compares one figure with its limit, and names the remedy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtests.machine import Readings
from loadtests.samples import Figures, lag_rank, samples_needed

ACHIEVED_SHORTFALL = 0.01
LAG_MS = 1.0
LAG_FRACTION_OF_P50 = 0.05
CPU_FRACTION = 0.80
OTHERS = 0.10
STEAL = 0.05
FREQUENCY_RATIO = 0.95

SPOILING = frozenset(
    ("lag", "generator_cpu", "others_server_cores", "others_generator_cores", "steal", "frequency", "throttled")
)
"""The gates that say the machine or the generator spoiled a block, not the server: measuring again can help."""

REMEDIES = {
    "achieved": "the server does not keep up with this rate: lower it",
    "lag": "requests left late: another program took the generator's core; run on an idle machine, or lower the rate",
    "generator_cpu": "the generator was near its ceiling: lower the rate or the number of users, or raise `workers`",
    "errors": "look at the error kinds and the server's log; lower the rate where it is overloaded",
    "samples": "measure longer, more blocks, or at a higher rate",
    "others_server_cores": "another program ran on the server's cores: end it, or keep it off them (taskset, cpuset)",
    "others_generator_cores": (
        "another program ran on the generator's cores: end it, or keep it off them (taskset, cpuset)"
    ),
    "steal": "the hypervisor gave our cores away: use a dedicated host",
    "frequency": "the clock fell: let the machine cool down, or switch turbo off",
    "throttled": "the processor grew too hot: let it cool down",
    "processes_gone": "a process of the server ended while it was measured: look at the server's log",
}
"""What to do where the gate of this name fails."""


@dataclass(frozen=True)
class Gate:
    """One check. `passed` is what the comparison of `value` with `limit` said; the remedy applies where it is False."""

    name: str
    passed: bool
    value: float | None
    """None where it is infinite: JSON has no such number."""
    limit: float
    unit: str
    remedy: str


def judge(
    figures: Figures,
    *,
    offered_rps: float | None,
    cpu_fraction: float,
    machine: Readings | None = None,
    least_requests: int | None = None,
) -> tuple[Gate, ...]:
    """Judge one block, or the pooled blocks of a load.

    `offered_rps` is None for a closed load, which has nothing to fall short of; `cpu_fraction` is the generator's, the
    highest of the blocks; `machine` is what `machine.Watch` read, the worst of the blocks, and what it could not read
    is not judged; `least_requests` defaults to what a p99 needs, and is 1 where only the pooled load must have that
    many.
    """
    least = samples_needed(0.99) if least_requests is None else least_requests
    lag_limit_ms = max(LAG_MS, LAG_FRACTION_OF_P50 * (figures.latency_ms.p50 or 0.0))
    gates = [
        _gate(
            "lag",
            figures.lag_p99_seen_ms <= lag_limit_ms,
            figures.lag_p99_seen_ms if math.isfinite(figures.lag_p99_seen_ms) else None,
            lag_limit_ms,
            _lag_unit(figures.requests),
        ),
        _gate("generator_cpu", cpu_fraction < CPU_FRACTION, cpu_fraction, CPU_FRACTION, "of one core"),
        _gate("errors", figures.errors == 0, figures.errors, 0, "requests"),
        _gate("samples", figures.requests >= least, figures.requests, least, "requests"),
    ]
    if offered_rps is not None:
        gates.insert(0, _achieved(figures, offered_rps))
    return explained([*gates, *(_machine(machine) if machine else ())])


def explained(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """The gates, with another remedy for `achieved` where one that blames the machine or the generator failed too.

    A server whose core another program took does not keep up either: the rate is not to blame before that is mended.
    """
    spoiling = [gate.name for gate in gates if not gate.passed and gate.name in SPOILING]
    if not spoiling:
        return tuple(gates)
    remedy = f"mend {', '.join(spoiling)} first; lower the rate only if the server does not keep up even then"
    return tuple(replace(gate, remedy=remedy) if gate.name == "achieved" else gate for gate in gates)


def _gate(name: str, passed: bool, value: float | None, limit: float, unit: str) -> Gate:
    return Gate(name, passed, value, limit, unit, REMEDIES[name])


def _lag_unit(requests: int) -> str:
    """The gate judges as many requests as there are; it calls the lag a p99 only where there are enough to tell one."""
    if requests >= samples_needed(0.99):
        return "ms at p99"
    return f"ms at rank {lag_rank(requests)} of {requests} (too few to tell a p99)"


def _machine(seen: Readings) -> list[Gate]:
    """What the machine says of itself, as far as it can tell."""

    def at_most(name: str, value: float | None, limit: float, unit: str) -> list[Gate]:
        return [] if value is None else [_gate(name, value <= limit, value, limit, unit)]

    ratio = seen.frequency_ratio
    return [
        *at_most("others_server_cores", seen.others_server_cores, OTHERS, "of one core"),
        *at_most("others_generator_cores", seen.others_generator_cores, OTHERS, "of one core"),
        *at_most("steal", seen.steal, STEAL, "of the time"),
        *(
            []
            if ratio is None
            else [_gate("frequency", ratio >= FREQUENCY_RATIO, ratio, FREQUENCY_RATIO, "of the highest clock seen")]
        ),
        *at_most("throttled", seen.throttled, 0, "events"),
        *at_most("processes_gone", seen.processes_gone, 0, "processes"),
    ]


def _achieved(figures: Figures, offered_rps: float) -> Gate:
    """Within 1 %, or one request a block where that is more: the last answer may fall outside its block's window."""
    fraction = figures.requests_per_s / offered_rps
    shortfall = max(ACHIEVED_SHORTFALL, figures.blocks / figures.requests) if figures.requests else ACHIEVED_SHORTFALL
    return _gate(
        "achieved",
        abs(fraction - 1) <= shortfall + 1e-9,  # 99 of 100 is 1 % short, but not to the last bit
        fraction,
        1 - shortfall,
        "of the offered rate",
    )
