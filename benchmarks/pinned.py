"""Processes on one core, all of which are gone afterwards: daemons that leave their parent too, as Ray's do."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from serving.engines import confine, owner
from serving.engines.launch import THREAD_VARIABLES, tail

STOP_TIMEOUT_S = 5.0
ROOT = Path(__file__).parents[1]

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Command:
    """What to start; `environment` is added to the little that every process gets."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path("/")


class Running:
    """A started command with all that it started."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str, log: Path) -> None:
        self._process = process
        self._mark = mark
        self._log = log

    def ended(self) -> bool:
        """Whether the process that was started has ended."""
        return self._process.poll() is not None

    def said(self, lines: int = 5) -> str:
        """The end of what it wrote, on one line."""
        return " | ".join(line.strip() for line in tail(self._log, lines).splitlines() if line.strip())

    def astray(self, core: int) -> list[str]:
        """Names of its processes that may run on another core than `core`."""
        return [p.name() for p in _marked(self._mark) if p.cpu_affinity() != [core]]

    def end(self) -> None:
        """SIGTERM for the first process, SIGKILL for all that are left, until none is."""
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT_S)
        while left := _marked(self._mark):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.poll()
            time.sleep(0.02)
        self._process.wait()


@contextmanager
def running(command: Command, core: int, log: Path) -> Iterator[Running]:
    """Start a command on one core, and end everything it started.

    Every process it starts inherits the mark in its environment, by which it is found again wherever it went. Should
    this program be killed, `serving.engines.orphans.kill` finds them by the same marks at the next start.
    """
    mark = f"benchmark-{os.getpid()}-{next(_numbers)}"
    launcher = [sys.executable, "-I", "-S", confine.__file__, str(os.getpid()), str(core)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*launcher, *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=_environment(command, mark),
            cwd=command.folder,
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle
        )
    started = Running(process, mark, log)
    try:
        yield started
    finally:
        _uninterrupted(started.end)


def _uninterrupted(end: Callable[[], None]) -> None:
    """Call `end` with Ctrl-C and SIGTERM held back: a second one would leave daemons behind."""
    held = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        end()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment(command: Command, mark: str) -> dict[str, str]:
    """Only what a server needs: nothing of the caller's shell changes how it behaves."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        **dict.fromkeys(THREAD_VARIABLES, "1"),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        **command.environment,
        owner.RUN: mark,
        owner.OWNER: owner.current().owner,
    }


def _marked(mark: str) -> list[psutil.Process]:
    """Living processes with that mark."""
    needle = f"{owner.RUN}={mark}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, psutil.NoSuchProcess):
            if needle in (folder / "environ").read_bytes():  # empty for a zombie
                found.append(psutil.Process(int(folder.name)))
    return found
