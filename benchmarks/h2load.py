"""A compiled client of gRPC at light load: nghttp2's h2load, one stream of one connection. https://nghttp2.org"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.errors import LoadFailed, Missing
from serving.engines import confine

_DATA = re.compile(r"^traffic: .* \((\d+)\) data$", re.MULTILINE)


def require() -> None:
    """Raise `Missing` where h2load is not installed."""
    if not shutil.which("h2load"):
        raise Missing("h2load, the load generator of gRPC, is not installed: apt-get install nghttp2-client")


def p50_ms(url: str, message: bytes, answer: bytes, *, seconds: float, core: int) -> float:
    """The median latency of a call, in ms, from one thread on `core`; the first tenth warms up.

    Raises `LoadFailed` where calls fail, or answers are not as long as `answer`: gRPC says errors in trailers, which
    h2load does not look at.
    """
    with tempfile.TemporaryDirectory(prefix="deploy-compare-h2load-") as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(_framed(message))
        options = ["-c1", "-m1", f"-D{seconds:g}s", f"-d{body}", f"--log-file={log}"]
        headers = ["-Hcontent-type: application/grpc", "-Hte: trailers"]
        launcher = [sys.executable, "-I", "-S", confine.__file__, str(os.getpid()), str(core)]
        command = [*launcher, str(shutil.which("h2load")), *options, *headers, url]
        result = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
        if result.returncode != 0 or not log.exists():
            raise LoadFailed(f"h2load: {(result.stderr or result.stdout).strip()[-300:]}")
        calls = [line.split() for line in log.read_text().splitlines()]
    found = _DATA.search(result.stdout)
    if not calls or {status for _, status, _ in calls} != {"200"} or found is None:
        raise LoadFailed(f"h2load: {result.stdout.strip()[-300:]}")
    answers, rest = divmod(int(found[1]), len(_framed(answer)))
    if rest or answers - len(calls) not in (0, 1):  # the last one may come after the end
        raise LoadFailed(f"gRPC: {len(calls)} answers of {len(_framed(answer))} bytes expected, {found[1]} bytes came")
    return median(int(elapsed_us) for _, _, elapsed_us in calls[len(calls) // 10 :]) / 1e3


def _framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message
