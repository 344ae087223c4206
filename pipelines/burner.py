"""A server of known cost, for calibration: it echoes over oip-http and burns the same CPU on every request.

Run as `python -m pipelines.burner --port PORT --iterations N`; on the standard library alone, so it starts at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pipelines.bench import Standing
    from serving.engines.processes import ChildProcess

MODEL = "burner"
INPUT, OUTPUT = "x", "y"
"""FP32 of shape [1, 8]; the answer is the input."""
SHAPE = (1, 8)
START_S = 30.0


def burn(iterations: int) -> None:
    """Nothing, that often: about 20 ns each."""
    for _ in range(iterations):
        pass


def iterations_for(seconds: float) -> int:
    """How many iterations take that long on the core we run on: the fastest of several timings counts."""
    sample, fastest_s = 100_000, float("inf")
    for _ in range(20):
        begun = time.perf_counter()
        burn(sample)
        fastest_s = min(fastest_s, time.perf_counter() - begun)
    return max(1, round(sample * seconds / fastest_s))


class Connection(asyncio.Protocol):
    """One client; requests may be pipelined."""

    def __init__(self, iterations: int) -> None:
        self._iterations = iterations
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(headers.get(b"content-length", 0))
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            if head.startswith(b"POST"):
                self._infer(rest[:length], int(headers.get(b"inference-header-content-length", length)))
            else:
                self._answer(_about(head.split(b" ", 2)[1].decode()))

    def _infer(self, body: bytes, split: int) -> None:
        burn(self._iterations)
        tensor = json.loads(body[:split])["inputs"][0]
        header = json.dumps({"model_name": MODEL, "outputs": [tensor | {"name": OUTPUT}]}).encode()
        self._answer(header + body[split:], b"Inference-Header-Content-Length: %d\r\n" % len(header))

    def _answer(self, body: bytes, headers: bytes = b"") -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body))


def _about(path: str) -> bytes:
    """The few pages a client looks at before it asks; any other path answers with the model's."""
    if path == "/v2/models":
        return json.dumps({"models": [MODEL]}).encode()
    tensors = {name: [{"name": name, "datatype": "FP32", "shape": [-1, *SHAPE[1:]]}] for name in (INPUT, OUTPUT)}
    return json.dumps({"name": MODEL, "ready": True, "inputs": tensors[INPUT], "outputs": tensors[OUTPUT]}).encode()


@contextmanager
def running(iterations: int, cpus: tuple[int, ...], log: Path) -> Iterator[ChildProcess]:
    """A burner on those cores, ready to be asked; gone with the block. Raises `DidNotStart`."""
    from serving.engines import launch, processes
    from serving.engines.contract import Budget

    port = launch.free_port()
    command = [sys.executable, "-m", "pipelines.burner", "--port", str(port), "--iterations", str(iterations)]
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with log.open("ab") as file:
        start = file.tell()
        process = processes.spawn(command, Budget(cpus, memory_bytes=0, pids=0), file.fileno())
    server = processes.ChildProcess(process, f"http://{launch.HOST}:{port}", log, start)
    try:
        server.cold_start_s = launch.wait_until_ready(server, _listens, begun, START_S)
        yield server
    finally:
        server.end()


def copies(count: int, iterations: int, cpus: tuple[int, ...], log: Path, servers: ExitStack) -> tuple[Standing, ...]:
    """So many burners on those cores, up until `servers` is closed. Raises `DidNotStart`."""
    from pipelines.bench import Standing

    started = (servers.enter_context(running(iterations, cpus, log)) for _ in range(count))
    return tuple(Standing(each.url, each.usage) for each in started)


def _listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=1).close()
    except OSError:
        return False
    return True


async def serve(port: int, iterations: int) -> None:
    """Answer until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(iterations), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--iterations", type=int, required=True, help="of an empty loop, on every request")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.iterations))
