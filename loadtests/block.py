"""One measured window of one cell: what is asked of the load generator, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Closed:
    """`users` clients, each sending its next request `think_s` seconds after the last one was answered."""

    users: int
    think_s: float = 0.0
    kind: Literal["closed"] = "closed"


@dataclass(frozen=True)
class Open:
    """`rate_rps` requests a second, whether or not the earlier ones were answered; Poisson: exponential gaps."""

    rate_rps: float
    distribution: Literal["constant", "poisson"] = "constant"
    kind: Literal["open"] = "open"


@dataclass(frozen=True)
class Ramp:
    """An open load whose rate grows (or falls) linearly over the window."""

    from_rps: float
    to_rps: float
    kind: Literal["ramp"] = "ramp"


@dataclass(frozen=True)
class Burst:
    """An open load of `rate_rps` that is `burst_rps` for the first `burst_s` of every `every_s` seconds."""

    rate_rps: float
    burst_rps: float
    every_s: float
    burst_s: float
    kind: Literal["burst"] = "burst"


@dataclass(frozen=True)
class Replay:
    """The recorded instants of a CSV file that fall into the window, with the payloads it names."""

    file: str
    """Absolute path."""
    kind: Literal["replay"] = "replay"


Arrivals = Closed | Open | Ramp | Burst | Replay


@dataclass(frozen=True)
class Block:
    """One measured window. Files are absolute paths; `warmup` blocks are driven alike and their samples thrown away."""

    url: str
    """`http://127.0.0.1:PORT`; `grpc://127.0.0.1:PORT` for the gRPC protocols."""
    protocol: str
    """A module of `loadtests.protocols`."""
    model: str
    """The name under which the server serves the artifact."""
    payloads: str
    """An `.npz` made by `loadtests.payloads.save`: the requests to draw from."""
    arrivals: Arrivals
    duration_s: float
    seed: int
    """Draws the payload of each request and which responses are kept; the same seed is the same schedule."""
    samples: str
    """Where the raw samples go (Parquet)."""
    responses: str | None = None
    """Where the kept responses go (`.npz`), None to keep none."""
    keep_responses: int = 0
    share: tuple[int, int] = (0, 1)
    """(i, n): this process sends every n-th request from the i-th on, or its part of the users; n workers send all."""
    drain_s: float = 10.0
    """How long requests in flight at the window's end are waited for; then they are errors of kind `timeout`."""


@dataclass(frozen=True)
class GeneratorUse:
    """How hard the generator itself worked during the block."""

    cpu_fraction: float
    """Of one core, over the window."""
    wall_s: float
    """The whole block: opening connections, the window, and the drain."""


@dataclass(frozen=True)
class ErrorKind:
    """How often one kind of error was seen: `timeout`, `unsent`, `refused`, `closed`, `malformed`, `status_500`, …"""

    kind: str
    count: int
    example: str
    """The first one's message; the server's own words where it sent any."""


@dataclass(frozen=True)
class Result:
    """What one block showed."""

    offered_rps: float | None
    """Scheduled requests over `duration_s`; None for a closed load, which offers only as much as is answered."""
    achieved_rps: float
    """Right answers per second of the window, as `loadtests.samples.achieved_rps` defines it."""
    requests: int
    """Scheduled (open) or begun (closed) within the window."""
    errors: int
    error_kinds: tuple[ErrorKind, ...]
    """Most frequent first."""
    generator: GeneratorUse
    samples: str
    responses: str | None
    """Read by `loadtests.responses.load`."""
    clock_error_ms: float | None = None
    """How well the clocks of generator processes on other hosts are known, the worst; None without any."""
