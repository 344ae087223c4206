"""The figures of one measured block, in the form that results and comparisons have them. Pure."""

from __future__ import annotations

import dataclasses

from loadtests import samples
from pipelines import results
from pipelines.journal import BlockMeasured


def figures(
    seen: samples.Figures,
    *,
    round_: int,
    server_cpu_s: float | None,
    generator_cpu_fraction: float,
    attempt: int = 0,
    server_copy: int = 0,
    machine: results.Machine | None = None,
) -> results.BlockFigures:
    """`seen` is of this block's samples; `server_cpu_s` is what the server used meanwhile, None where unknown.

    CPU per request is per right answer: an error is cheap, and must not make a server look cheaper.
    """
    return results.BlockFigures(
        round=round_,
        attempt=attempt,
        server_copy=server_copy,
        requests=seen.requests,
        errors=seen.errors,
        achieved_rps=seen.requests_per_s,
        latency_ms=percentiles(seen.latency_ms),
        cpu_ms_per_request=cpu_ms_per_request(server_cpu_s, seen),
        generator=results.Generator(lag_p99_ms=seen.lag_ms.p99, cpu_fraction=generator_cpu_fraction),
        machine=machine or results.Machine(),
    )


def cpu_ms_per_request(server_cpu_s: float | None, seen: samples.Figures) -> float | None:
    """None where it is unknown, or nothing was answered."""
    answered = seen.requests - seen.errors
    return 1e3 * server_cpu_s / answered if answered and server_cpu_s is not None else None


def percentiles(of: samples.Percentiles) -> results.Percentiles:
    return results.Percentiles(**dataclasses.asdict(of))


def of_event(event: BlockMeasured, seen: samples.Figures) -> results.BlockFigures:
    """The figures of a block that the journal has."""
    return figures(
        seen,
        round_=event.round,
        attempt=event.attempt,
        server_copy=event.server_copy,
        server_cpu_s=event.server_cpu_s,
        generator_cpu_fraction=event.generator_cpu_fraction,
        machine=event.machine,
    )
