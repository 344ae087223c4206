"""`results.json`, schema 1: the contract other tools read. Extend it, rename nothing; absent figures are null."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import BadRun

Status = Literal["ok", "failed", "skipped", "invalid"]
Stage = Literal["plan", "prepare", "export", "verify", "deploy", "served", "warm-up", "load"]
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
    requests: int
    errors: int
    achieved_rps: float
    latency_ms: Percentiles
    cpu_ms_per_request: float | None
    generator: Generator


class Load(Record):
    """One workload on one cell: raw samples of all its blocks pooled, and each block for itself."""

    workload: str
    offered_rps: float | None
    """null in a closed workload, which offers nothing."""
    achieved_rps: float
    requests: int
    errors: int
    latency_ms: Percentiles
    spectrum_ms: tuple[tuple[float, float], ...]
    """(percentile, milliseconds) as far up as the number of requests allows."""
    cpu_ms_per_request: float | None
    generator: Generator
    valid: bool
    gates: tuple[Gate, ...]
    blocks: tuple[BlockFigures, ...]


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
    capacity: None = None
    """Filled by the capacity search, which this version does not have."""


class Comparison(Record):
    """`ratio` = a/b of one metric over paired blocks, with its 95 % confidence interval."""

    workload: str
    metric: Literal["latency_ms.p50", "latency_ms.p90", "achieved_rps", "cpu_ms_per_request"]
    a: str
    b: str
    ratio: float
    ci95: tuple[float, float] | None
    """null with fewer than three pairs of blocks."""
    blocks: int
    verdict: Verdict


class Timing(Record):
    """Seconds the run took, all its sittings together, and how many of them were measured blocks."""

    total_s: float
    measuring_s: float
    blocks: int
    """Measured blocks that count; those of repeated rounds are in the seconds only."""


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
