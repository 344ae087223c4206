"""A server's process: how it is started, and what is asked of it while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil

import serving
from serving.engines import confine, launch, owner, usage
from serving.engines.contract import Budget, Usage
from serving.errors import ServerGone

STOP_TIMEOUT_S = 3.0
PAUSE_TIMEOUT_S = 1.0
SOURCES = Path(serving.__file__).parents[1]

# Children get SIGKILL when the *thread* that started them ends, so this one lives as long as the run does.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class ChildProcess:
    """One running server process and what it writes."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path, log_start: int) -> None:
        self.url = url
        self.cold_start_s = 0.0
        self._process = process
        self._log = log
        self._log_start = log_start

    def usage(self) -> Usage:
        """Of the process and its children; raises `ServerGone` where it has ended."""
        found = usage.of(self._process.pid)
        if found is None or self._process.poll() is not None:
            raise ServerGone(self._ending(), self.logs())
        return found

    def pause(self) -> None:
        """Stop all its processes by SIGSTOP; raises `ServerGone` where it has ended."""
        if self._process.poll() is not None:
            raise ServerGone(self._ending(), self.logs())
        pids = self._signal(signal.SIGSTOP)
        deadline = time.perf_counter() + PAUSE_TIMEOUT_S
        while not all(map(_stopped, pids)) and time.perf_counter() < deadline:
            time.sleep(0.001)  # the signal is on its way: a thread that computes meets it at its next interrupt

    def resume(self) -> None:
        """Continue them."""
        self._signal(signal.SIGCONT)

    def logs(self, lines: int = 40) -> str:
        """The tail of its stdout and stderr."""
        return launch.tail(self._log, lines, self._log_start)

    def check(self) -> None:
        """Raise `DidNotStart` where it has ended."""
        if self._process.poll() is not None:
            raise launch.ended(self._ending(), self.logs())

    def end(self) -> None:
        """End it and its children: by SIGTERM, and by SIGKILL what is left."""
        children: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._process.pid).children(recursive=True)
        try:
            self._process.terminate()
            self.resume()
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._process.kill()
            self._process.wait()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()

    def _signal(self, number: signal.Signals) -> list[int]:
        """Send a signal to the process and its children, and say to which."""
        pids: list[int] = []
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
                    pids.append(process.pid)
        return pids

    def _ending(self) -> str:
        code = self._process.wait()
        return (
            f"the server was killed by {signal.Signals(-code).name}" if code < 0 else f"the server exited with {code}"
        )


def _stopped(pid: int) -> bool:
    """Whether every thread of a process is stopped, or the process has ended."""
    try:
        stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return True
    return all(stat[stat.rindex(")") + 2] in "TtZX" for stat in stats)


def spawn(command: list[str], budget: Budget, log: int) -> subprocess.Popen[bytes]:
    """Start a command in the budget's cpuset with `log` (a file descriptor) as its stdout and stderr."""
    return _spawner.submit(_spawn, command, budget, log).result()


def _spawn(command: list[str], budget: Budget, log: int) -> subprocess.Popen[bytes]:
    cpus = ",".join(str(cpu) for cpu in budget.cpus)
    launcher = [sys.executable, "-I", "-S", confine.__file__, str(os.getpid()), cpus]
    return subprocess.Popen(
        [*launcher, *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=_environment(budget),
        cwd="/",
        start_new_session=True,  # Ctrl-C in the terminal is the run's to handle
    )


def _environment(budget: Budget) -> dict[str, str]:
    """Only what a server needs: nothing of the caller's shell changes how it behaves."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    owned = owner.current()
    return {
        **kept,
        **launch.environment(budget),
        owner.RUN: owned.run,
        owner.OWNER: owned.owner,
        "PYTHONPATH": str(SOURCES),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }
