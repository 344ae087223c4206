"""`results.json`, schema 1: the contract other tools read. Extend it, rename nothing; absent figures are null."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import BadRun

Status = Literal["ok", "failed", "skipped", "invalid"]
Stage = Literal["plan", "prepare", "export", "verify", "deploy", "served", "warm-up", "load", "capacity"]
Verdict = Literal["different", "equivalent", "inconclusive"]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Export(Record):
    seconds: float
    bytes: int
    cached: bool
    """Whether this run found it in the cache; `seconds` is what the export took when it was made."""


class Parity(Record):
    """The error of one hop against the torch source: absolute, and relative to the largest reference output."""

    hop: Literal["source", "artifact", "served", "under_load"]
    max_abs_error: float | None
    max_rel_error: float | None
    passed: bool
    reason: str | None = None


class Metric(Record):
    metric: str
    value: float
    reference: float


class Quality(Metric):
    """The headline metric of the served artifact, the source model's own, and further metrics."""

    others: tuple[Metric, ...] = ()


class Deploy(Record):
    image: str
    """Image tag; on the process engine the environment's folder."""
    image_digest: str
    """What identifies its content: the image's id, or the hash of the environment's requirements."""
    image_bytes: int | None
    image_base_bytes: int | None
    """The part of `image_bytes` that all servers share; null where there is none."""
    cold_start_s: tuple[float, ...]
    """Start command to first correct response."""
    memory_idle_bytes: int
    """Resident memory of all its processes after the first correct response."""
    memory_peak_bytes: int | None
    """Highest resident memory up to the end of the last block."""


class Percentiles(Record):
    """Milliseconds; null where too few requests were measured to state it."""

    p50: float | None
    p90: float | None
    p99: float | None


class Generator(Record):
    lag_p99_ms: float | None
    cpu_fraction: float


class Machine(Record):
    """What else the machine did during a block: fractions of a core, and of the time."""

    others_server_cores: float | None = None
    """CPU of the server's cores that neither the server nor the generator used, of one core."""
    others_generator_cores: float | None = None
    steal: float | None = None
    """Time the hypervisor gave our cores to somebody else, of the block's."""
    pressure: float | None = None
    """PSI: time in which some task waited for a CPU, of the block's. Recorded; not a gate."""
    frequency_ratio: float | None = None
    """Mean clock of the server's cores, of the highest seen in the run; null where the kernel does not tell."""
    throttled: int | None = None
    """Thermal throttling events during the block; null where the kernel does not tell."""
    processes_gone: int | None = None
    """Processes of the server that ended during the block; null where they cannot be seen."""


class WarmUp(Record):
    """How long a cell was loaded unmeasured, and whether its last windows were stationary."""

    seconds: float
    windows: int
    stationary: bool


class Instant(Record):
    """Latency in one interval of a block's window, all blocks of the load together."""

    at_s: float
    """Middle of the interval, from the start of the block."""
    requests: int
    p50_ms: float | None
    p90_ms: float | None
    worst_ms: float | None


class Gate(Record):
    name: str
    passed: bool
    value: float | None
    limit: float
    unit: str
    remedy: str


class BlockFigures(Record):
    """One measured window."""

    round: int
    attempt: int
    """0, or how often the round had been repeated when this one was measured."""
    server_copy: int = 0
    """Which of the server's copies it was of, where it was started several times."""
    requests: int
    errors: int
    achieved_rps: float
    latency_ms: Percentiles
    cpu_ms_per_request: float | None
    generator: Generator
    machine: Machine = Machine()


class Load(Record):
    """One workload on one cell: raw samples of all its blocks pooled, and each block for itself."""

    workload: str
    offered_rps: float | None
    """null in a closed workload, which offers nothing."""
    achieved_rps: float
    requests: int
    errors: int
    goodput_rps: float | None = None
    """Right answers per second within the SLO of the model's capacity search; null where there is none."""
    payload_batch: int = 1
    latency_ms: Percentiles
    latency_upper_ms: Percentiles = Percentiles(p50=None, p90=None, p99=None)
    """One-sided 99 % upper confidence bounds of the percentiles."""
    service_ms: Percentiles = Percentiles(p50=None, p90=None, p99=None)
    """From sent, not from intended."""
    lag_ms: Percentiles = Percentiles(p50=None, p90=None, p99=None)
    """How late requests were sent."""
    over_time: tuple[Instant, ...] = ()
    spectrum_ms: tuple[tuple[float, float], ...]
    """(percentile, milliseconds) as far up as the number of requests allows."""
    cpu_ms_per_request: float | None
    generator: Generator
    valid: bool
    gates: tuple[Gate, ...]
    blocks: tuple[BlockFigures, ...]


class Trial(Record):
    """One block of a capacity search, or of the saturation curve."""

    rate_rps: float
    achieved_rps: float
    goodput_rps: float
    """Right answers per second within the SLO."""
    requests: int
    errors: int
    latency_ms: Percentiles
    held: bool
    """Whether it met the SLO."""
    generator: Generator
    valid: bool
    """Whether the gates let it count."""


class Capacity(Record):
    """The highest rate of open arrivals that holds the SLO."""

    slo: str
    """`p99 ≤ 20 ms, errors ≤ 0.1 %`"""
    rps: float | None
    """null where no rate was found to hold it, or the search did not end; then `reason` says why."""
    ci95: tuple[float, float] | None
    distribution: str
    reason: str | None = None
    at_least_rps: float | None = None
    """A rate that was held, where `rps` is null and what ended the search was not the server."""
    trials: tuple[Trial, ...] = ()
    """The search, in the order it was measured."""
    curve: tuple[Trial, ...] = ()
    """Latency against the offered rate, up to 130 % of capacity."""


class Cell(Record):
    id: str
    model: str
    framework: str
    format: str
    variant: str
    server: str
    protocol: str
    engine: str
    status: Status
    stage: Stage | None = None
    reason: str | None = None
    detail: str | None = None
    """The tail of the log that belongs to the reason."""
    export: Export | None = None
    parity: tuple[Parity, ...] = ()
    quality: Quality | None = None
    deploy: Deploy | None = None
    loads: tuple[Load, ...] = ()
    warm_up: WarmUp | None = None
    capacity: Capacity | None = None


class Comparison(Record):
    """`ratio` = a/b of one metric over paired blocks, with its 95 % confidence interval."""

    workload: str
    metric: Literal["latency_ms.p50", "latency_ms.p90", "latency_ms.p99", "achieved_rps", "cpu_ms_per_request"]
    a: str
    b: str
    ratio: float
    ci95: tuple[float, float] | None
    """null with fewer than three pairs of blocks."""
    blocks: int
    verdict: Verdict
    p: float | None = None
    """Two-sided p-value of ratio 1, Holm-adjusted over the comparisons of this workload and metric."""
    more_blocks: int | None = None
    """Of an inconclusive one: how many more blocks of each would decide it at the spread seen; null where unknown, or
    above 100,000."""


class Timing(Record):
    """Seconds the run took, all its sittings together, and how many of them were measured blocks."""

    total_s: float
    measuring_s: float
    blocks: int
    """Measured blocks that count; those of repeated rounds are in the seconds only."""


class Trust(Record):
    """What this machine was seen to measure, by `deploy-compare doctor --measure`."""

    measured_at: str
    machine: str
    """CPU model and cores: a calibration of another machine does not count."""
    ceiling_rps: float
    """Requests/s that one generator sends to the null server at most."""
    generator_cpu_us_per_request: float
    """At 500 requests/s open."""
    lag_spectrum_ms: tuple[tuple[float, float], ...]
    """(percentile, ms) at 500 requests/s open."""
    aa: tuple[Comparison, ...]
    """A server against itself: none should be `different`."""
    a5: tuple[Comparison, ...]
    """Against itself with about 5 % more CPU per request."""
    a5_injected: float
    """The ratio of CPU per request that was injected, as it was weighed beforehand."""
    resolvable: tuple[tuple[float, float], ...]
    """(seconds of measuring, smallest ratio of CPU per request that would be told from 1), two cells."""
    block_s: float = 0.0
    """Of the trials, and so of what is resolvable: longer blocks tell less in the same time."""
    made_by: str = ""
    """Hash of the code that measures: a calibration by other code does not count."""
    seconds: float


class Results(Record):
    schema_: Literal[1] = 1
    run_id: str
    complete: bool
    """False while cells are still to be measured, in an interrupted run."""
    experiment: dict[str, Any]
    environment: dict[str, Any]
    timing: Timing
    cells: tuple[Cell, ...]
    comparisons: tuple[Comparison, ...]
    trust: Trust | None = None
    """The calibration of this machine that was at hand when the run ended."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda name: name.rstrip("_"), validate_by_name=True
    )


def to_json(results: Results) -> str:
    """The text of `results.json`."""
    return results.model_dump_json(by_alias=True, indent=1) + "\n"


def from_json(text: str, origin: str) -> Results:
    """Results from the text of a `results.json`; raises `BadRun`."""
    try:
        return Results.model_validate_json(text)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRun(f"{origin}: not results of schema 1: {where}: {first['msg']}") from exc
