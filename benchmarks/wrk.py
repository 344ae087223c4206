"""The load generator: wrk, a compiled closed-loop client. https://github.com/wg/wrk"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import LoadFailed, Missing
from benchmarks.wire import Request
from serving.engines import confine

SCRIPT = Path(__file__).with_name("post.lua")
LEAST_FOR_P99 = 459
"""Below so many samples a 99th percentile is a guess (99 % confidence)."""


@dataclass(frozen=True)
class Window:
    """What one window of load showed."""

    rps: float
    requests: int
    errors: int
    """Responses that are not 2xx, and connections that failed."""
    p50_ms: float
    p99_ms: float | None
    """None where the window has too few requests for it."""
    client_cpu_fraction: float
    """Of the load generator's core: near 1 the figure is the client's limit, not the server's."""


def require() -> None:
    """Raise `Missing` where wrk is not installed."""
    if not shutil.which("wrk"):
        raise Missing("wrk, the load generator, is not installed: apt-get install wrk")


def load(url: str, request: Request, *, connections: int, seconds: float, core: int) -> Window:
    """Drive `url` from one thread on `core`; raises `LoadFailed`."""
    with tempfile.NamedTemporaryFile(prefix="deploy-compare-body-") as body:
        body.write(request.body)
        body.flush()
        headers = [f"{name}: {value}" for name, value in request.headers.items()]
        options = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(SCRIPT)]
        launcher = [sys.executable, "-I", "-S", confine.__file__, str(os.getpid()), str(core)]
        command = [*launcher, str(shutil.which("wrk")), *options, url + request.path, "--", body.name, *headers]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        raise LoadFailed(f"wrk: {(result.stderr or result.stdout).strip()[-300:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _window(json.loads(result.stdout.splitlines()[-1]), cpu_s)


def _window(said: dict[str, float], cpu_s: float) -> Window:
    seconds = said["duration_us"] / 1e6
    requests = int(said["requests"])
    return Window(
        rps=requests / seconds,
        requests=requests,
        errors=int(said["errors"]),
        p50_ms=said["p50_us"] / 1e3,
        p99_ms=said["p99_us"] / 1e3 if requests >= LEAST_FOR_P99 else None,
        client_cpu_fraction=cpu_s / seconds,
    )
