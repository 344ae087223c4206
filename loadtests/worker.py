"""One of several processes that send: `python -m loadtests.worker`, on Locust's worker.

Sends its share of each block the master asks for, and sends back the files; ends when the master says so or is gone,
or with its parent.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loadtests import child, wire
from loadtests.block import Block, Replay, Result
from loadtests.errors import GeneratorError

if TYPE_CHECKING:
    from locust.runners import WorkerRunner

REFUSED = 3
"""Exit status of a worker that this master does not take."""
MASTER_SILENT_S = 30
"""After it the master is taken to be gone. It answers a heartbeat a second, which is not read while a module of the
protocol's is imported: seconds for TensorFlow."""
CONNECT_S = 5.0


def main() -> None:
    """Come to the master and serve it until it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--master", required=True, help="HOST:PORT")
    parser.add_argument("--cpus", required=True, help="cores to run on: 0,1")
    parser.add_argument("--parent", required=True, type=int, help="process to die with")
    parser.add_argument("--scratch", required=True, type=Path, help="folder for this worker's files")
    parser.add_argument("--index", type=int, help="the how-manieth of those the master started itself")
    arguments = parser.parse_args()
    child.belong(arguments.parent)
    child.run_on(arguments.cpus)
    child.go_first()

    from loadtests.measure import measure  # isort: skip - patches the process for gevent, before all others
    from locust import runners
    from locust.env import Environment

    runners.MASTER_HEARTBEAT_TIMEOUT = MASTER_SILENT_S
    try:
        runner = Environment().create_worker_runner(*wire.address(arguments.master))
    except ConnectionError:  # Locust's, after five minutes without a master
        sys.exit(0)
    Worker(runner, arguments.scratch, measure).hello(arguments.index)
    runner.greenlet.join()
    os._exit(0)  # a block may be under way in a greenlet of its own


class Worker:
    """The messages of one master, answered."""

    def __init__(self, runner: WorkerRunner, scratch: Path, measure: Callable[[Block, Callable[[], float]], Result]):
        from gevent.event import AsyncResult

        self._runner, self._scratch, self._measure = runner, scratch, measure
        self._go = AsyncResult()
        runner.register_message("welcome", self._welcome)
        runner.register_message("refused", self._refused)
        runner.register_message("part", self._part)
        runner.register_message("ping", self._ping)
        runner.register_message("go", self._going)
        runner.register_message("block", self._block, concurrent=True)

    def hello(self, index: int | None) -> None:
        """Say who this is; the master answers `welcome` or `refused`, or has enough workers and lets it wait."""
        about = {"index": index, "version": wire.version(), "host": socket.gethostname(), "pid": os.getpid()}
        self._runner.send_message("hello", about)

    def _welcome(self, **_: Any) -> None:
        print(f"joined {self._runner.master_host}:{self._runner.master_port}", flush=True)

    def _refused(self, msg: Any, **_: Any) -> None:
        print(f"refused: {msg.data['reason']}", flush=True)
        os._exit(REFUSED)

    def _part(self, msg: Any, **_: Any) -> None:
        wire.receive(self._scratch, msg.data)

    def _ping(self, **_: Any) -> None:
        self._runner.send_message("pong", {"instant": time.perf_counter()})

    def _going(self, msg: Any, **_: Any) -> None:
        self._go.set(msg.data["start"])

    def _block(self, msg: Any, **_: Any) -> None:
        try:
            block = self._at_home(wire.block_from_json(msg.data["block"]))
            check_reachable(block.url, same_host=msg.data["boot"] == wire.boot())
            result = self._measure(block, self._start)
            for path in (result.samples, result.responses):
                if path is not None:
                    for part in wire.parts(Path(path), Path(path).name):
                        self._runner.send_message("part", part)
            self._runner.send_message("result", {"result": wire.result_to_json(result)})
        except Exception as exc:
            traceback.print_exc()
            self._runner.send_message("failed", {"error": f"{type(exc).__name__}: {exc}"})

    def _at_home(self, block: Block) -> Block:
        """The block with this worker's own files."""
        arrivals = block.arrivals
        if isinstance(arrivals, Replay):
            arrivals = Replay(str(self._scratch / arrivals.file))
        return replace(
            block,
            arrivals=arrivals,
            payloads=str(self._scratch / block.payloads),
            samples=str(self._scratch / wire.SAMPLES),
            responses=None if block.responses is None else str(self._scratch / wire.RESPONSES),
        )

    def _start(self) -> float:
        """All is prepared: wait for the master's word, which says when the window begins, by this host's clock."""
        from gevent.event import AsyncResult

        self._go = AsyncResult()
        self._runner.send_message("prepared", {})
        return float(self._go.get())


def check_reachable(url: str, same_host: bool) -> None:
    """Raises `GeneratorError` for a server on the loopback address of another host, unless its port is forwarded."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    if same_host or not (host == "localhost" or host.startswith("127.") or host == "::1"):
        return
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as exc:
        raise GeneratorError(
            f"{url} is the loopback address of the host of the run, and nothing answers on {socket.gethostname()}:"
            f" forward the port to it (ssh -R {port}:{host}:{port}), or load a URL that it can reach"
        ) from exc


if __name__ == "__main__":
    main()
