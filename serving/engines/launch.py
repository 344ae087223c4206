"""What every engine does to start a server: command line, threads, port, and the wait for its first answer."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serving.catalog import Server, is_grpc
from serving.engines.contract import Budget, Deployment
from serving.errors import DidNotStart

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)  # below the ephemeral ports, from which the load generator's own connections are numbered
PORT_ATTEMPTS = 5
FIRST_PAUSE_S, LAST_PAUSE_S = 0.005, 0.020

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


_TAKEN = ("address already in use", "failed to bind to address")
"""What servers write of a port that is taken, the second one gRPC's library."""


class PortTaken(DidNotStart):
    """Another process took the port between its choice and the server's start."""


@dataclass(frozen=True)
class Ports:
    """Where one server listens: always for HTTP, and for gRPC where that is what it is asked over."""

    http: int
    grpc: int | None

    @property
    def url(self) -> str:
        """Of the protocol that the server is asked over."""
        return f"http://{HOST}:{self.http}" if self.grpc is None else f"grpc://{HOST}:{self.grpc}"


def arguments(server: Server, artifact: str, ports: Ports, budget: Budget) -> list[str]:
    """The server's command with its placeholders filled; `artifact` is the folder as the server sees it."""
    values = {"artifact": artifact, "host": HOST, "port": str(ports.http), "threads": str(len(budget.cpus))}
    parts = server.command
    if ports.grpc is not None:
        values["grpc_port"] = str(ports.grpc)
        parts += server.grpc_arguments
    return [part.format(**values) for part in parts]


def environment(budget: Budget) -> dict[str, str]:
    """What every server is started with: the size of the pools that a library makes before its server can set it (it
    would take the host's CPU count), and one order of Python's sets, so that two starts of a server are the same.
    """
    return {**dict.fromkeys(THREAD_VARIABLES, str(len(budget.cpus))), "PYTHONHASHSEED": "0"}


@contextmanager
def on_free_ports(protocol: str, start: Callable[[Ports], AbstractContextManager[Deployment]]) -> Iterator[Deployment]:
    """Start on free loopback ports for that protocol, and on others where one was taken meanwhile."""
    with ExitStack() as stack:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                deployment = stack.enter_context(start(_free_ports(protocol)))
                break
            except PortTaken:
                if attempt == PORT_ATTEMPTS:
                    raise
        yield deployment


class Starting(Protocol):
    """A server that was started and may not answer yet."""

    url: str

    def check(self) -> None:
        """Raise `DidNotStart` where it has ended."""

    def logs(self, lines: int = 40) -> str:
        """The tail of what it wrote."""


def wait_until_ready(server: Starting, probe: Callable[[str], bool], started: float, timeout_s: float) -> float:
    """Seconds from `started` (by `perf_counter`) to the first `probe(url)` that is True.

    Polls every 5 ms at first and backs off to 20 ms, which bounds the error of the figure. Raises `DidNotStart` where
    the server ends or `timeout_s` pass before.
    """
    pause_s = FIRST_PAUSE_S
    while not probe(server.url):
        server.check()
        elapsed_s = time.perf_counter() - started
        if elapsed_s > timeout_s:
            raise DidNotStart(f"no correct response within {timeout_s:g} s", server.logs())
        time.sleep(pause_s)
        pause_s = min(LAST_PAUSE_S, pause_s * 1.05)
    return time.perf_counter() - started


def ended(how: str, log: str) -> DidNotStart:
    """The error for a server that ended before it answered; `log` is what it wrote."""
    if any(words in log.lower() for words in _TAKEN):
        return PortTaken(how, log)
    said = [line for line in log.splitlines() if line.strip()]
    return DidNotStart(f"{how}: {said[-1].strip()}" if said else how, log)


def tail(path: Path, lines: int, start: int = 0) -> str:
    """The last lines of a log file from byte `start` on; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start, size - 256 * 1024))  # a log may be long, its tail is not
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _free_ports(protocol: str) -> Ports:
    http = free_port()
    grpc = free_port() if is_grpc(protocol) else None
    return _free_ports(protocol) if grpc == http else Ports(http, grpc)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as candidate:
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return port
