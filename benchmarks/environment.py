"""Where a measurement took place, and options that all scripts share."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console

from benchmarks.errors import BenchmarkError
from pipelines import environment
from pipelines.cores import kept_awake
from serving.engines import orphans

CACHE = Path(__file__).parents[1] / ".cache"
RESULTS = Path(__file__).parent / "results"

ServerCore = Annotated[int, typer.Option(help="Core of the servers, one at a time.")]
ClientCore = Annotated[int, typer.Option(help="Core of the load generator, and of this program.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often everything is measured.")]
Seconds = Annotated[float, typer.Option(min=1, help="Length of a window.")]
Source = Annotated[Path, typer.Option(help="The clone whose reference server is measured.")]


def describe(source: Path) -> dict[str, Any]:
    """The machine, the revision of the clone at `source`, and the date."""
    machine = environment.describe()
    kept = ("cpu", "cores", "memory_bytes", "kernel", "cores_kept_awake", "python")
    return {
        **{name: machine[name] for name in kept},
        "wrk": (_first_line(["wrk", "-v"]) or "").partition(" [")[0],
        "load_average": os.getloadavg()[0],
        "git_revision": environment.revision(source),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


@contextmanager
def benchmarking(console: Console, server_core: int, client_core: int) -> Iterator[None]:
    """Keep this program off the servers' core, and cores awake; Ctrl-C and SIGTERM end what was started.

    An error is one line.

    Raises `typer.Exit`: 2 for what cannot be measured here, 130 where interrupted.
    """
    cores = sorted(os.sched_getaffinity(0))
    if server_core == client_core or not {server_core, client_core} <= set(cores):
        console.print(f"the two cores must differ and be among {cores}, not {server_core} and {client_core}")
        raise typer.Exit(2)
    psutil.Process().cpu_affinity([client_core])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    orphans.kill()  # of a run that was killed
    try:
        with kept_awake():  # as a run measures
            yield
    except BenchmarkError as exc:
        console.print(str(exc), style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from exc
    except KeyboardInterrupt as exc:
        console.print("interrupted: nothing was written, and nothing is left running")
        raise typer.Exit(130) from exc


def _first_line(command: list[str]) -> str | None:
    try:
        lines = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    return lines[0].strip() if lines else None
