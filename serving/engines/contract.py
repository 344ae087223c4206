"""What an engine promises: a server description becomes a running, measured, surely removed server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serving.catalog import Server

Say = Callable[[str], None]
"""Takes one line about what is being done now; long work says so."""


@dataclass(frozen=True)
class Budget:
    """What one server may use: a cpuset (threads are set to its size), memory and number of tasks."""

    cpus: tuple[int, ...]
    memory_bytes: int
    pids: int


@dataclass(frozen=True)
class Prepared:
    """What a server starts from: an image or an environment, its size, and the part of it all servers share."""

    reference: str
    """Image tag, or the environment's folder."""
    digest: str
    total_bytes: int
    base_bytes: int | None
    """None where there is no common base to subtract (the process engine)."""


@dataclass(frozen=True)
class Usage:
    """Used by all processes of one server since its start: CPU seconds, resident bytes now, and at their peak."""

    cpu_s: float
    memory_bytes: int
    memory_peak_bytes: int
    processes: frozenset[tuple[int, float]]
    """Those that run now, by pid and start time in seconds since boot: one that is missing later has ended."""


class Deployment(Protocol):
    """One running server. Left the `with` block, it is gone."""

    url: str
    """Of the protocol it was deployed for: `http://…`, or `grpc://…`."""
    cold_start_s: float
    """From the start command to the first correct response, in seconds."""

    def usage(self) -> Usage:
        """CPU and memory from the kernel's own accounts; raises `ServerGone` where the server has ended."""

    def pause(self) -> None:
        """Freeze it: no CPU at all until `resume`."""

    def resume(self) -> None:
        """Undo `pause`."""

    def logs(self, lines: int = 40) -> str:
        """The tail of what it wrote."""


class Engine(Protocol):
    """A way to start servers."""

    name: str

    def unavailable(self) -> str | None:
        """Why this engine cannot work here, with the remedy; None where it can."""

    def prepare(self, server: Server, say: Say) -> Prepared:
        """Build (or find) what the server starts from; raises `BuildFailed`."""

    def deploy(
        self, server: Server, artifact: Path, budget: Budget, probe: Callable[[str], bool], protocol: str
    ) -> AbstractContextManager[Deployment]:
        """Start the server on free loopback ports with the artifact, and wait until `probe(url)` is True.

        `url` is that of the protocol; a server asked over HTTP does not open gRPC beside it, which would cost memory.

        `probe` returns False while the server is not ready and raises what it finds wrong with a response. Raises
        `DidNotStart` with the log's tail where the server exits or is not ready in time.
        """

    def sweep(self) -> list[str]:
        """Remove what runs that are no longer alive left behind, and say what it was."""
