"""The host's side of the load generator: a process of its own, so that gevent's patching never touches the host."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from loadtests import child, wire
from loadtests.block import Block, Result
from loadtests.errors import GeneratorError

START_S = 60.0
"""How long importing Locust may take; 1–2 s where nothing else runs."""
SETTLE_S = 30.0
"""What a block may take besides its window and its drain: opening connections, decoding, writing."""

JOIN_S = 120.0
"""How long workers of other hosts are waited for."""
SILENCE_S = 20.0
"""After so long without a heartbeat a worker is given up. Locust's send one a second, but not while they import."""
LEAVE_S = 2.0
"""How long a master may take to send its workers home."""


class Generator:
    """One long-lived Locust process, pinned to `cpus`, that measures block after block.

    With `workers` above 1 or `remote` above 0 it is Locust's master and that many workers, on these cores and on other
    hosts, which share every block; those of other hosts (`loadtests.join`) come to `listen`, HOST:PORT, and are waited
    for before the first block. `say` is told so. Raises `GeneratorError` for an address that is none.

    Use it in one thread: the process dies with the thread that started it (PR_SET_PDEATHSIG), so that not even a
    killed host leaves it behind. A Ctrl-C does not reach it; leaving the `with` block ends it.
    """

    def __init__(
        self,
        cpus: tuple[int, ...],
        log: Path,
        workers: int = 1,
        remote: int = 0,
        listen: str = "127.0.0.1:5557",
        say: Callable[[str], None] = print,
    ) -> None:
        wire.address(listen)
        self.cpus = cpus
        self.log = log
        self.workers = workers
        self.remote = remote
        self.listen = listen
        self._say = say
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
            if self._many:  # the other workers may be anywhere in their share of it
                self._end()
            raise GeneratorError(f"the block was not measured: {answer['error']}", self._tail())
        return wire.result_from_json(answer)

    def cpu_s(self) -> float:
        """CPU seconds that its processes on this machine have used so far; 0 before the first block."""
        if self._process is None:
            return 0.0
        workers = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        # clock_getcpuclockid(3): nanoseconds, where /proc tells ticks of 10 ms.
        clocks = [(~pid << 3) | 2 for pid in (self._process.pid, *map(int, workers))]
        return sum(time.clock_gettime(clock) for clock in clocks)

    @property
    def _many(self) -> bool:
        return self.workers > 1 or self.remote > 0

    @property
    def _scratch(self) -> Path:
        """For the workers' files, beside the log: what a killed run leaves there is gone with the next start."""
        return self.log.with_suffix(".workers")

    def _start(self) -> subprocess.Popen[bytes]:
        arguments = ["--cpus", ",".join(map(str, self.cpus))]
        limit_s = START_S
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self._many:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir()
            limit_s += JOIN_S if self.remote else 0.0
            arguments += self._of_many()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                child.command("generator", *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[1],
                process_group=0,  # the terminal's Ctrl-C goes to the host's group only
            )
        answer = self._read(self._process, time.perf_counter() + limit_s, "to start")
        if "error" in answer:
            raise GeneratorError(f"the load generator did not start: {answer['error']}", self._tail())
        return self._process

    def _of_many(self) -> list[str]:
        if self.remote:
            self._say(
                f"waiting up to {JOIN_S:.0f} s for {self.remote} worker{'s' if self.remote > 1 else ''} on other hosts:"
                f" start `deploy-compare worker {self.listen}` there"
            )
        listen = self.listen if self.remote else "127.0.0.1:0"
        options = {"workers": self.workers, "remote": self.remote, "listen": listen, "join": JOIN_S}
        options |= {"silence": SILENCE_S, "scratch": self._scratch.absolute()}
        return [part for name, value in options.items() for part in (f"--{name}", str(value))]

    def _ask(self, process: subprocess.Popen[bytes], block: Block) -> dict[str, Any]:
        limit_s = block.duration_s + block.drain_s + SETTLE_S
        try:
            _pipe(process.stdin).write(wire.block_to_json(block).encode() + b"\n")
            _pipe(process.stdin).flush()
        except BrokenPipeError as exc:
            raise GeneratorError(f"the load generator ended{self._status(process)}", self._tail()) from exc
        return self._read(process, time.perf_counter() + limit_s, "to measure a block")

    def _read(self, process: subprocess.Popen[bytes], deadline: float, doing: str) -> dict[str, Any]:
        """One JSON line of the answer stream; what the process has to say on the way is said."""
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
        *said, last = (json.loads(each) for each in line.splitlines())
        for each in said:
            self._say(each["say"])
        if "say" in last:
            self._say(last["say"])
            return self._read(process, deadline, doing)
        answer: dict[str, Any] = last
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
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            if self.remote:  # workers of other hosts learn only from the master that it ends
                _pipe(process.stdin).close()
                process.wait(LEAVE_S)
        # Between blocks it holds nothing that a kill could spoil: files are renamed into place when complete.
        process.kill()
        # To die it has to run: starved on its own cores by a program of real-time priority, it never would.
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{process.pid}/task"):
                os.sched_setaffinity(int(thread), range(os.cpu_count() or 1))
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):  # closing flushes what the dead process never read
                _pipe(pipe).close()
        if self._many:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
