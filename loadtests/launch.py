"""The host's side of the load generator: a process of its own, so that gevent's patching never touches the host."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from loadtests import wire
from loadtests.block import Block, Result
from loadtests.errors import GeneratorError

START_S = 60.0
"""How long importing Locust may take; 1–2 s where nothing else runs."""
SETTLE_S = 30.0
"""What a block may take besides its window and its drain: opening connections, decoding, writing."""


class Generator:
    """One long-lived Locust process, pinned to `cpus`, that measures block after block.

    Use it in one thread: the process dies with the thread that started it (PR_SET_PDEATHSIG), so that not even a
    killed host leaves it behind. A Ctrl-C does not reach it; leaving the `with` block ends it.
    """

    def __init__(self, cpus: tuple[int, ...], log: Path) -> None:
        self.cpus = cpus
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, block: Block) -> Result:
        """Measure one block and wait for it: at most its window, its drain, and `SETTLE_S`.

        Raises `GeneratorError` with the log's tail where the process ended, hung, or could not measure the block.
        """
        try:
            process = self._process or self._start()
            answer = self._ask(process, block)
        except BaseException:
            # Whatever it is doing now, its answer would be taken for that of the next block.
            self._end()
            raise
        if "error" in answer:
            raise GeneratorError(f"the block was not measured: {answer['error']}", self._tail())
        return wire.result_from_json(answer)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "loadtests.generator", "--parent", str(os.getpid())]
        command += ["--cpus", ",".join(map(str, self.cpus))]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[1],
                process_group=0,  # the terminal's Ctrl-C goes to the host's group only
            )
        self._read(self._process, time.perf_counter() + START_S, "to start")
        return self._process

    def _ask(self, process: subprocess.Popen[bytes], block: Block) -> dict[str, Any]:
        limit_s = block.duration_s + block.drain_s + SETTLE_S
        try:
            _pipe(process.stdin).write(wire.block_to_json(block).encode() + b"\n")
            _pipe(process.stdin).flush()
        except BrokenPipeError as exc:
            raise GeneratorError(f"the load generator ended{self._status(process)}", self._tail()) from exc
        return self._read(process, time.perf_counter() + limit_s, "to measure a block")

    def _read(self, process: subprocess.Popen[bytes], deadline: float, doing: str) -> dict[str, Any]:
        """One JSON line of the answer stream."""
        fd, line, begun = _pipe(process.stdout).fileno(), b"", time.perf_counter()
        answered = select.poll()
        answered.register(fd, select.POLLIN)
        while not line.endswith(b"\n"):
            if not answered.poll(max(0.0, deadline - time.perf_counter()) * 1e3):
                waited_s = time.perf_counter() - begun
                raise GeneratorError(f"the load generator hung: {waited_s:.0f} s {doing}", self._tail())
            part = os.read(fd, 65536)
            if not part:
                raise GeneratorError(f"the load generator ended{self._status(process)}", self._tail())
            line += part
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _status(self, process: subprocess.Popen[bytes]) -> str:
        try:
            status = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return " its answers"
        return f" on signal {-status}" if status < 0 else f" with status {status}"

    def _tail(self, lines: int = 40) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Between blocks it holds nothing that a kill could spoil: files are renamed into place when complete.
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):  # closing flushes what the dead process never read
                _pipe(pipe).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
