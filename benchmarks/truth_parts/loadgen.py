"""MLPerf LoadGen's Server scenario against an oip-http server: `python -m ….loadgen URL RATE SECONDS SEED FOLDER`.

A process of its own. LoadGen (C++) draws a Poisson schedule, issues each query at its instant and times it from there;
threads with a connection each send it and wait for the answer. Prints one JSON line of LoadGen's own summary.
"""

from __future__ import annotations

import json
import queue
import socket
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlperf_loadgen as loadgen

from benchmarks.truth_parts.stand import REQUEST
from loadtests.protocols import oip_http

THREADS = 128
"""Of a stall of 100 ms at 200/s 20 are in flight: a query never waits for a thread."""
KEPT = {
    "result_50.00_percentile_latency_ns": "p50_ms",
    "result_90.00_percentile_latency_ns": "p90_ms",
    "result_99.00_percentile_latency_ns": "p99_ms",
}
TARGET_NS = 1_000_000_000
"""Far above what is measured: early stopping then never ends the test as hopeless."""


def client(address: tuple[str, int], request: bytes, waiting: queue.SimpleQueue[int]) -> None:
    """Send each query, and complete it when its answer has arrived."""
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            query = waiting.get()
            connection.sendall(request)
            received = b""
            while not whole(received):
                part = connection.recv(1 << 16)
                if not part:
                    raise ConnectionError("the server closed the connection")
                received += part
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query, 0, 0)])


def whole(received: bytes) -> bool:
    """Whether a response is complete; raises `ConnectionError` for one that is not a 200."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(head.decode(errors="replace"))
    return len(body) >= int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])


def settings(rate_rps: float, seconds: float, seed: int) -> Any:
    """Performance mode, for that long."""
    asked = loadgen.TestSettings()
    asked.scenario = loadgen.TestScenario.Server
    asked.mode = loadgen.TestMode.PerformanceOnly
    asked.server_target_qps = rate_rps
    asked.server_target_latency_ns = TARGET_NS
    asked.min_duration_ms = round(seconds * 1e3)
    asked.min_query_count = 1
    asked.schedule_rng_seed = asked.qsl_rng_seed = asked.sample_index_rng_seed = seed
    return asked


def summary(folder: Path) -> dict[str, Any]:
    """LoadGen's own figures, from its log."""
    found = {}
    for line in (folder / "mlperf_log_detail.txt").read_text().splitlines():
        entry = json.loads(line.removeprefix(":::MLLOG "))
        found[entry["key"]] = entry["value"]
    return {name: found[key] / 1e6 for key, name in KEPT.items()} | {
        "requests": found["result_query_count"],
        "valid": found["result_validity"] == "VALID",
    }


def main(url: str, rate_rps: float, seconds: float, seed: int, folder: Path) -> None:
    """Run the test and print what LoadGen says."""
    netloc, waiting = urlsplit(url).netloc, queue.SimpleQueue[int]()
    host, _, port = netloc.partition(":")
    encoded = oip_http.encode("m", REQUEST)
    headers = {"Host": netloc, **encoded.headers, "Content-Length": str(len(encoded.body))}
    lines = [f"POST {encoded.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    arguments = ((host, int(port)), "\r\n".join(lines).encode() + encoded.body, waiting)
    for _ in range(THREADS):
        threading.Thread(target=client, args=arguments, daemon=True).start()

    def issue(queries: list[Any]) -> None:
        for query in queries:
            waiting.put(query.id)

    under_test = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(1, 1, lambda _: None, lambda _: None)
    output, log = loadgen.LogOutputSettings(), loadgen.LogSettings()
    output.outdir, output.copy_summary_to_stdout = str(folder), False
    log.log_output, log.enable_trace = output, False
    loadgen.StartTestWithLogSettings(under_test, library, settings(rate_rps, seconds, seed), log)
    print(json.dumps(summary(folder)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
