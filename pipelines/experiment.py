"""An experiment: what is compared, on what budget, under which load. Strict, frozen, and silent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from pipelines import parity

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Framework = Literal["torch", "tensorflow"]
Variant = Literal["fp32", "fp16", "int8_dynamic", "int8_static"]


Seconds = Annotated[float, Field(ge=0.01, le=3600)]
"""Bounds on every window and timeout: a slip of the keyboard must not run for a year, nor measure nothing."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, fields: Any) -> Any:
        """YAML reads `yes` and `on` as true, and pydantic true as 1."""
        for name, value in fields.items() if isinstance(fields, dict) else ():
            if isinstance(value, bool) and name in cls.model_fields and cls.model_fields[name].annotation is not bool:
                raise ValueError(f"{name} is {str(value).lower()}, which is neither a number nor a name")
        return fields


class Budget(Strict):
    """What one server may use. Its cores come from the end of the machine's list; the generator gets the others."""

    cpus: PositiveInt = 1
    memory_mb: int = Field(default=3072, ge=16, le=10_000_000)
    pids: int = Field(default=256, ge=16, le=100_000)


class ClosedArrivals(Strict):
    """`users` clients, each sending its next request `think_s` after the last one was answered."""

    kind: Literal["closed"]
    users: int = Field(gt=0, le=1000)
    think_s: float = Field(default=0, ge=0, le=3600)


Rate = Annotated[float, Field(gt=0, le=20_000)]
"""Requests per second."""


class OpenArrivals(Strict):
    """A rate, timed from the intended instants, whether or not earlier requests were answered."""

    kind: Literal["open"]
    rate_rps: Rate
    distribution: Literal["constant", "poisson"] = "constant"


class RampArrivals(Strict):
    """A rate that grows (or falls) linearly over each block."""

    kind: Literal["ramp"]
    from_rps: float = Field(ge=0, le=20_000)
    to_rps: float = Field(ge=0, le=20_000)

    @model_validator(mode="after")
    def _some_rate(self) -> RampArrivals:
        if self.from_rps == self.to_rps == 0:
            raise ValueError("from_rps and to_rps are both 0: that is no load")
        return self


class BurstArrivals(Strict):
    """`rate_rps`, but `burst_rps` for the first `burst_s` of every `every_s` seconds."""

    kind: Literal["burst"]
    rate_rps: Rate
    burst_rps: Rate
    every_s: Seconds
    burst_s: Seconds

    @model_validator(mode="after")
    def _burst_ends(self) -> BurstArrivals:
        if self.burst_s >= self.every_s:
            raise ValueError(f"burst_s is {self.burst_s:g}, but a burst ends before the next, after every_s")
        return self


class ReplayArrivals(Strict):
    """The instants of a CSV file: `instant_s` and, where it has the column, `payload`. The block is its first part.

    A relative path is from the experiment's own file.
    """

    kind: Literal["replay"]
    file: str = Field(min_length=1)


AnyArrivals = Annotated[
    ClosedArrivals | OpenArrivals | RampArrivals | BurstArrivals | ReplayArrivals, Field(discriminator="kind")
]


class Workload(Strict):
    """One way of loading a cell; `models` limits it to some of the experiment's models."""

    name: Name
    arrivals: AnyArrivals
    payload_batch: int = Field(default=1, gt=0, le=1024)
    """How many of the pair's inputs travel in one request."""
    block_s: Seconds | None = None
    """Length of this workload's blocks where it is not that of the experiment."""
    models: tuple[str, ...] | None = Field(default=None, min_length=1)


class Slo(Strict):
    """What an answer is worth waiting for: a bound on one or more percentiles, and on errors."""

    p50_ms: PositiveFloat | None = None
    p90_ms: PositiveFloat | None = None
    p99_ms: PositiveFloat | None = None
    max_error_rate: float = Field(default=0.001, ge=0, lt=1)

    @model_validator(mode="after")
    def _bounded(self) -> Slo:
        if self.p50_ms is None and self.p90_ms is None and self.p99_ms is None:
            raise ValueError("an SLO bounds at least one of p50_ms, p90_ms, p99_ms")
        return self


class Capacity(Strict):
    """A search for the highest rate of open arrivals that holds an SLO, and latency up to 130 % of it."""

    slo: Slo
    distribution: Literal["constant", "poisson"] = "poisson"
    trial_s: Seconds = 2.0
    """Least length of a trial; longer where the SLO's percentile needs more requests."""
    start_rps: Rate | None = None
    """None: half of what two closed clients reach in a trial."""
    replicates: int = Field(default=4, ge=2, le=100)
    """Trials around the boundary once it is bracketed."""
    curve: bool = True
    models: tuple[str, ...] | None = Field(default=None, min_length=1)


class Load(Strict):
    """How the workloads are measured: interleaved blocks of `block_s` seconds for each cell and workload."""

    workloads: tuple[Workload, ...] = Field(min_length=1)
    rounds: int | None = Field(default=None, gt=0, le=1000)
    """None: a pilot says how many would call equal cells equivalent, as far as `budget_s` allows."""
    budget_s: Seconds = 60.0
    """Seconds of measured blocks of one workload on one model, all its cells together, where `rounds` is None."""
    block_s: Seconds = 2.0
    warmup_s: Seconds = 10.0
    """Longest warm-up of one cell; it ends as soon as its windows are stationary."""
    max_repeats: int = Field(default=3, ge=0, le=1000)
    """How many rounds of one workload on one model may be measured again, all their cells, because a gate says that
    the measurement of one of their blocks was spoiled: a bound on the time a noisy machine can cost."""
    capacity: tuple[Capacity, ...] = ()
    """At most one for each model."""
    workers: int = Field(default=1, gt=0, le=64)
    """Generator processes on this machine, on the cores no server is on."""
    remote_workers: int = Field(default=0, ge=0, le=64)
    """Generator processes on other machines, started there with `deploy-compare worker`."""
    listen: str = Field(default="127.0.0.1:5557", pattern=r"^[^\s:]+:\d{1,5}$")
    """Where this machine's master waits for remote workers."""
    seed: int = 20


class Experiment(Strict):
    """One comparison: every model × framework × format × variant, on each server and protocol that takes it."""

    name: Name
    models: tuple[str, ...] = Field(min_length=1)
    frameworks: tuple[Framework, ...] = Field(default=("torch", "tensorflow"), min_length=1)
    formats: tuple[str, ...] = Field(min_length=1)
    variants: tuple[Variant, ...] = Field(default=("fp32",), min_length=1)
    servers: tuple[str, ...] | None = Field(default=None, min_length=1)
    """None: every server that accepts the format."""
    exclude: tuple[str, ...] = ()
    """Shell patterns of the ids of cells that are left out."""
    protocols: tuple[str, ...] = Field(default=("oip-http",), min_length=1)
    budget: Budget = Budget()
    tolerance: PositiveFloat = parity.TOLERANCE
    """Of fp32; what other precisions may deviate is theirs (`parity.TOLERANCES`)."""
    """Largest error of any hop, relative to the largest reference output."""
    cold_starts: int = Field(default=3, gt=0, le=100)
    copies: int = Field(default=1, gt=0, le=16)
    """How many of the servers so started stay up, and are measured by turns: their differences then average out."""
    export_timeout_s: Seconds = 900.0
    load: Load

    @model_validator(mode="after")
    def _unambiguous(self) -> Experiment:
        for field in ("models", "frameworks", "formats", "variants", "servers", "protocols"):
            _no_duplicates(field, getattr(self, field) or ())
        if self.copies > self.cold_starts:
            raise ValueError(f"copies is {self.copies}, but only {self.cold_starts} are started: raise cold_starts")
        _no_duplicates("load.workloads", tuple(workload.name for workload in self.load.workloads))
        for workload in self.load.workloads:
            for model in workload.models or ():
                if model not in self.models:
                    raise ValueError(
                        f"load.workloads {workload.name!r} names model {model!r}, which the experiment does not compare"
                    )
        self._capacities_apart()
        for model in self.models:
            if not self.workloads_of(model):
                raise ValueError(f"load.workloads: none of them loads model {model!r}")
        return self

    def _capacities_apart(self) -> None:
        searched: set[str] = set()
        for capacity in self.load.capacity:
            for model in self.models if capacity.models is None else capacity.models:
                if model not in self.models:
                    raise ValueError(f"load.capacity names model {model!r}, which the experiment does not compare")
                if model in searched:
                    raise ValueError(f"load.capacity: model {model!r} has more than one search")
                searched.add(model)

    def tolerance_of(self, variant: str) -> float:
        """Largest error of any hop, relative to the largest reference output."""
        return self.tolerance if variant == "fp32" else parity.tolerance(variant)

    def capacity_of(self, model: str) -> Capacity | None:
        """The search asked for on this model's cells."""
        return next((c for c in self.load.capacity if c.models is None or model in c.models), None)

    def workloads_of(self, model: str) -> tuple[Workload, ...]:
        """The workloads that load this model."""
        return tuple(w for w in self.load.workloads if w.models is None or model in w.models)


def _no_duplicates(field: str, values: tuple[str, ...]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{field} lists {value!r} more than once")
