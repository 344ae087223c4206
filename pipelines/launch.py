"""How a job's process is started: fresh, or forked by a nursery that has imported what is heavy already."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).parents[1]
PRELOAD_TIMEOUT_S = 180.0

Launch = Callable[[Sequence[str], BinaryIO, float], int]
"""`launch(arguments, log, timeout_s)` runs a job to its end and returns its exit status, negative for a signal.

Raises TimeoutError where it took longer, and `Stopped`; whatever the job started is gone then, too.
"""


class Stopped(Exception):
    """The job was ended because all are to end."""


@dataclass(frozen=True)
class Program:
    """A module that does jobs, and what runs it."""

    module: str
    """With `main(arguments) -> exit status` and `preload(*names)`."""
    preload: tuple[str, ...] = ()
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of this process's own."""

    def start(
        self, command: Sequence[str], log: BinaryIO | int, pass_fds: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        """Start `python -m` with the command, in a session of its own so that all it starts can end with it."""
        return subprocess.Popen(
            [self.python, "-m", *command],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=pass_fds,
        )

    def run(self, arguments: Sequence[str], log: BinaryIO, timeout_s: float) -> int:
        """One job in a fresh process; a `Launch`."""
        return _finish(self.start([self.module, *arguments], log), timeout_s)


class Nursery:
    """Runs a program's jobs in forks of one process; in fresh processes where forking is not safe. Thread-safe.

    Called like any `Launch`. The process is started at the first job, and again where it was killed.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._lock = threading.Lock()
        self._jobs: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._fresh: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        self.threads: int | None = None
        """Those of the process once it has preloaded; None before the first job, 0 where that failed."""

    def __call__(self, arguments: Sequence[str], log: BinaryIO, timeout_s: float) -> int:
        """Run one job; a `Launch`."""
        jobs = self._ready()
        if jobs is None:
            return self._run_fresh(arguments, log, timeout_s)
        mine, answer = socket.socketpair()
        with mine:  # closing it gives the job up
            with answer, suppress(OSError):
                socket.send_fds(jobs, [json.dumps(list(arguments)).encode()], [log.fileno(), answer.fileno()])
            mine.settimeout(timeout_s)
            if status := mine.recv(64):
                return int(status)
        # The nursery itself is gone: this job in a fresh process, the next ones in those of another nursery.
        self._forget(jobs)
        return self._run_fresh(arguments, log, timeout_s)

    def close(self) -> None:
        """End all jobs and the process; those who wait for a job get `Stopped`."""
        self._stopped = True
        with self._lock:
            if self._jobs:
                self._jobs.close()
            for process in (self._process, *self._fresh):
                if process:
                    _kill(process)

    def _ready(self) -> socket.socket | None:
        """Where jobs are sent; None where they have to be run in fresh processes."""
        with self._lock:
            if self._stopped:
                raise Stopped
            if self.threads is None:
                self._start()
            return self._jobs

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = ["pipelines.nursery", str(theirs.fileno()), self._program.module, *self._program.preload]
            self._process = self._program.start(command, subprocess.DEVNULL, [theirs.fileno()])
        ours.settimeout(PRELOAD_TIMEOUT_S)
        try:
            self.threads = int(ours.recv(64) or 0)
        except TimeoutError:
            self.threads = 0
        if self.threads == 1:
            ours.settimeout(None)
            self._jobs = ours
        else:
            ours.close()
            _kill(self._process)

    def _forget(self, jobs: socket.socket) -> None:
        with self._lock:
            if self._jobs is jobs and self._process and not self._stopped:
                jobs.close()
                _kill(self._process)
                self._jobs = self.threads = None

    def _run_fresh(self, arguments: Sequence[str], log: BinaryIO, timeout_s: float) -> int:
        with self._lock:
            if self._stopped:
                raise Stopped
            process = self._program.start([self._program.module, *arguments], log)
            self._fresh.add(process)
        try:
            status = _finish(process, timeout_s)
        finally:
            self._fresh.discard(process)
        if self._stopped:
            raise Stopped
        return status


def _finish(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session, and all it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
