"""Which HTTP layer costs least: uvicorn, granian (ASGI and RSGI) and our own on httptools, before an application that
answers 200 bytes to a body of 400. Requests/s with 8 connections, median and range of the rounds, and p50 with one.

    .venv/bin/python -m benchmarks.http_layers [--rounds 3] [--seconds 3]
"""

from __future__ import annotations

import http.client
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import installs, wrk
from benchmarks.errors import NotStarted
from benchmarks.pinned import ROOT, Command, running
from benchmarks.wire import Request, send
from serving.engines.launch import free_port

REQUEST = Request("/", b"a" * 400, {"content-type": "application/octet-stream"})
START_TIMEOUT_S = 30.0

_GRANIAN = [
    "-m",
    "granian",
    "--no-ws",
    "--log-level",
    "error",
    "--loop",
    "uvloop",
    "--workers",
    "1",
    "--port",
    "{port}",
]
LAYERS = {
    "uvicorn": [
        *("-m", "uvicorn", "benchmarks.layers.asgi:app", "--port", "{port}", "--http", "httptools"),
        *("--loop", "uvloop", "--no-access-log", "--log-level", "error", "--lifespan", "off"),
    ],
    "granian, ASGI": [*_GRANIAN, "--interface", "asginl", "benchmarks.layers.asgi:app"],
    "granian, RSGI": [*_GRANIAN, "--interface", "rsgi", "benchmarks.layers.rsgi:app"],
    "httptools, ours": ["-m", "benchmarks.layers.ours", "{port}"],
}
"""Command lines after the interpreter, each as its documentation wants it for one core."""


def main(rounds: int = 3, seconds: float = 3.0, server_core: int = 1, client_core: int = 0) -> None:
    """Measure all layers in turn, `rounds` times."""
    wrk.require()
    console = Console()
    requirements = ROOT / "benchmarks" / "layers" / "requirements.txt"
    python = installs.ensure("http-layers", requirements, ROOT / ".cache", console.print)
    rps: dict[str, list[float]] = {name: [] for name in LAYERS}
    p50_ms: dict[str, list[float]] = {name: [] for name in LAYERS}
    for number in range(1, rounds + 1):
        for name, arguments in LAYERS.items():
            console.print(f"round {number} of {rounds}: {name}")
            port = free_port()
            argv = [str(python), *(argument.format(port=port) for argument in arguments)]
            with (
                tempfile.TemporaryDirectory(prefix="dc-") as folder,
                running(Command(argv), server_core, Path(folder) / "log") as server,
            ):
                url = f"http://127.0.0.1:{port}"
                _wait(url, server.ended)
                many = wrk.load(url, REQUEST, connections=8, seconds=seconds, core=client_core)
                one = wrk.load(url, REQUEST, connections=1, seconds=seconds, core=client_core)
            rps[name].append(many.rps)
            p50_ms[name].append(one.p50_ms)
    table = Table("HTTP layer", "requests/s, 8 connections", "range", "p50 of one connection, ms")
    for name in LAYERS:
        lowest, highest = min(rps[name]), max(rps[name])
        figures = f"{statistics.median(rps[name]):,.0f}", f"{lowest:,.0f} – {highest:,.0f}"
        table.add_row(name, *figures, f"{statistics.median(p50_ms[name]):.3f}")
    console.print(table)


def _wait(url: str, ended: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + START_TIMEOUT_S
    while time.perf_counter() < deadline and not ended():
        try:
            if send(url, REQUEST).status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    raise NotStarted(f"no answer from {url}")


if __name__ == "__main__":
    typer.run(main)
