"""From the flags of `deploy-compare load` to an experiment's load: the same bounds, the same words. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines import experiments
from pipelines.bench import NOWHERE
from pipelines.errors import BadExperiment, BadInput
from pipelines.experiment import Experiment

LONGEST_S = 3600.0
BLOCK_S = 2.0
DURATION_S = 10.0
BUDGET_S = 60.0
NAME = "load"
FLAGS = {
    "load.workloads.0.arrivals.open.rate_rps": "--rate",
    "load.workloads.0.arrivals.closed.users": "--users",
    "load.workloads.0.arrivals.closed.think_s": "--think",
    "load.workloads.0.arrivals.ramp": "--ramp",
    "load.workloads.0.arrivals.burst": "--burst",
    "load.workloads.0.arrivals.replay.file": "--replay",
    "load.capacity.0.slo.p99_ms": "--slo-p99-ms",
    "load.capacity.0.slo.p90_ms": "--slo-p90-ms",
    "load.capacity.0.slo.max_error_rate": "--max-error-rate",
    "load.rounds": "--rounds",
    "load.block_s": "--block",
    "load.budget_s": "--budget",
    "load.warmup_s": "--warmup",
    "load.workers": "--workers",
    "load.remote_workers": "--remote-workers",
    "load.listen": "--listen",
}
"""Of an experiment's fields."""


@dataclass(frozen=True)
class Arrivals:
    """When requests come: at most one of the kinds."""

    rate: float | None = None
    poisson: bool = False
    users: int | None = None
    think: float | None = None
    ramp: str | None = None
    """`A:B`."""
    burst: str | None = None
    """`RATE:BURST:EVERY:FOR`."""
    replay: Path | None = None

    def fields(self) -> dict[str, Any]:
        """As an experiment has them; one closed user where nothing is asked for. Raises `BadInput`."""
        given = [kind for kind in ("rate", "users", "ramp", "burst", "replay") if getattr(self, kind) is not None]
        if len(given) > 1:
            raise BadInput(f"--{given[0]} and --{given[1]} are two ways of loading: choose one")
        if self.poisson and self.rate is None:
            raise BadInput("--poisson is about the gaps between the requests of --rate")
        if self.think is not None and given not in ([], ["users"]):
            raise BadInput("--think is about --users")
        if self.rate is not None:
            distribution = "poisson" if self.poisson else "constant"
            return {"kind": "open", "rate_rps": self.rate, "distribution": distribution}
        if self.ramp is not None:
            return {"kind": "ramp", **_numbers("--ramp", self.ramp, "from_rps", "to_rps")}
        if self.burst is not None:
            return {"kind": "burst", **_numbers("--burst", self.burst, "rate_rps", "burst_rps", "every_s", "burst_s")}
        if self.replay is not None:
            return {"kind": "replay", "file": str(self.replay.absolute())}
        return {"kind": "closed", "users": 1 if self.users is None else self.users, "think_s": self.think or 0.0}


@dataclass(frozen=True)
class Length:
    """How long is measured: for a time or in rounds, or as long as a pilot says within a budget."""

    duration: float | None = None
    rounds: int | None = None
    block: float | None = None
    budget: float | None = None
    warmup: float = 10.0

    def fields(self, servers: int, steady: bool) -> dict[str, Any]:
        """`rounds`, `block_s` and `budget_s` of an experiment's load. Raises `BadInput`.

        Several servers are compared, so a pilot chooses the rounds; a load that changes is one block, from its
        beginning to its end.
        """
        if self.budget is not None and (self.duration is not None or self.rounds is not None):
            raise BadInput("--budget lets a pilot choose the rounds: leave out --duration and --rounds")
        if self.duration is not None and self.rounds is not None and self.block is not None:
            raise BadInput("--duration is --rounds times --block: leave out one of them")
        for flag in ("duration", "block", "budget", "warmup"):
            _check_length(flag, getattr(self, flag))
        rounds = self.rounds
        piloted = self.budget is not None or (servers > 1 and self.duration is None and rounds is None)
        duration_s = self.duration or DURATION_S
        # A whole number of blocks is as long as what was asked for.
        block_s = self.block or (duration_s / math.ceil(duration_s / BLOCK_S) if steady else duration_s)
        if rounds is not None and self.duration is not None:
            block_s = self.duration / max(1, rounds)
        if rounds is None and not piloted:
            rounds = max(1, round(duration_s / block_s))
        if rounds is not None and rounds * block_s > LONGEST_S:
            raise BadInput(f"{rounds} blocks of {block_s:g} s are more than the {LONGEST_S:g} s that are allowed")
        return {"rounds": rounds, "block_s": block_s, "budget_s": self.budget or BUDGET_S}


@dataclass(frozen=True)
class Slo:
    """The bounds of a search for capacity."""

    search: bool = False
    p99_ms: float | None = None
    p90_ms: float | None = None
    max_error_rate: float | None = None

    def fields(self) -> list[dict[str, Any]]:
        """An experiment's `capacity`. Raises `BadInput`."""
        asked = {name: getattr(self, name) for name in ("p99_ms", "p90_ms", "max_error_rate")}
        given = {name: value for name, value in asked.items() if value is not None}
        if given and not self.search:
            raise BadInput("an SLO is what --capacity searches the highest rate for: add --capacity")
        if not self.search:
            return []
        if self.p99_ms is None and self.p90_ms is None:
            raise BadInput("--capacity needs an SLO: --slo-p99-ms or --slo-p90-ms, and --max-error-rate if you like")
        return [{"slo": given}]


@dataclass(frozen=True)
class Generators:
    """Who sends the requests: processes here, and on other hosts, which come to `listen` (HOST:PORT)."""

    workers: int
    remote_workers: int
    listen: str


def asked(
    arrivals: Arrivals,
    length: Length,
    slo: Slo,
    *,
    servers: int,
    protocol: str,
    generators: Generators,
    seed: int,
) -> Experiment:
    """The experiment that these flags are, its model still unnamed; raises `BadInput` with every fault."""
    coming = arrivals.fields()
    fields = {
        "name": NAME,
        "models": [NOWHERE],
        "formats": [NOWHERE],
        "protocols": [protocol],
        "load": {
            "workloads": [{"name": coming["kind"], "arrivals": coming}],
            **length.fields(servers, steady=coming["kind"] in {"open", "closed"}),
            "capacity": slo.fields(),
            "warmup_s": length.warmup,
            **asdict(generators),
            "seed": seed,
        },
    }
    try:
        return experiments.parse(yaml.safe_dump(fields), "load")
    except BadExperiment as exc:
        raise BadInput(_by_flags(str(exc))) from exc


def _by_flags(said: str) -> str:
    """What is wrong with the experiment, by the flags that it was made from."""
    said = said.removeprefix("load: ")
    for field, flag in FLAGS.items():
        said = said.replace(field, flag)
    return said


def _check_length(flag: str, seconds: float | None) -> None:
    if seconds is not None and not 0 < seconds <= LONGEST_S:
        raise BadInput(f"--{flag}: expected more than 0 and at most {LONGEST_S:g} seconds, found {seconds:g}")


def _numbers(flag: str, text: str, *names: str) -> dict[str, float]:
    try:
        return dict(zip(names, map(float, text.split(":")), strict=True))
    except ValueError as exc:
        raise BadInput(f"{flag}: expected {':'.join(name.upper() for name in names)}, found {text!r}") from exc
