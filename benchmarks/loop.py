"""`python -m benchmarks.loop SAMPLE.npy SECONDS`: calls the runtime as often as goes, and prints what it saw as JSON.

Runs in a server's environment, which has NumPy and ONNX Runtime but nothing of this project's own.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks.peers.session import Session

WARM_UP_S = 0.5


def main() -> None:
    session, x, seconds = Session(), np.load(sys.argv[1]), float(sys.argv[2])
    _calls(session, x, WARM_UP_S)
    begin = time.perf_counter()
    latencies_s = _calls(session, x, seconds)
    elapsed_s = time.perf_counter() - begin
    p50_ms, p99_ms = np.percentile(latencies_s, [50, 99]) * 1e3
    calls = len(latencies_s)
    print(json.dumps({"rps": calls / elapsed_s, "requests": calls, "p50_ms": p50_ms, "p99_ms": p99_ms}))


def _calls(session: Session, x: np.ndarray[Any, Any], seconds: float) -> list[float]:
    latencies_s = []
    begin = before = time.perf_counter()
    while before - begin < seconds:
        session.run(x)
        after = time.perf_counter()
        latencies_s.append(after - before)
        before = after
    return latencies_s


if __name__ == "__main__":
    main()
