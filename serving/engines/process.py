"""The process engine: servers as child processes, started from environments with the images' own requirements.

What it lacks of a container: memory and number of tasks are not limited (`setrlimit` counts tasks per user, and address
space, of which TensorFlow reserves far more than it uses), and the file system is the host's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

import serving
from serving.catalog import Server
from serving.engines import confine, environments, launch, orphans, owner, usage
from serving.engines.artifacts import log_path
from serving.engines.contract import Budget, Deployment, Prepared, Say, Usage
from serving.errors import ServerGone

STOP_TIMEOUT_S = 5.0
SOURCES = Path(serving.__file__).parents[1]

# Children get SIGKILL when the *thread* that started them ends, so this one lives as long as the run does.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class ProcessDeployment:
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
        """Stop all its processes by SIGSTOP."""
        self._signal(signal.SIGSTOP)

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

    def _signal(self, number: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def _ending(self) -> str:
        code = self._process.wait()
        return (
            f"the server was killed by {signal.Signals(-code).name}" if code < 0 else f"the server exited with {code}"
        )


class Process:
    """Starts servers as processes of this machine."""

    name = "process"

    def __init__(self, cache: Path, logs: Path) -> None:
        self._cache = cache
        self._logs = logs

    def unavailable(self) -> str | None:
        """It measures, and finds what is left behind, in Linux's /proc."""
        if Path("/proc/self/environ").exists():
            return None
        return "the process engine needs Linux's /proc, which is not here: use a Linux machine or container"

    def prepare(self, server: Server, say: Say) -> Prepared:
        """Build (or find) the server's environment."""
        folder = environments.ensure(server, self._cache, say)
        digest = folder.name.rpartition("-")[2]
        return Prepared(str(folder), digest, environments.size_bytes(folder), None)

    def deploy(
        self, server: Server, artifact: Path, budget: Budget, probe: Callable[[str], bool]
    ) -> AbstractContextManager[Deployment]:
        """See `Engine.deploy`."""
        return launch.on_free_port(partial(self._on_port, server, artifact, budget, probe))

    def sweep(self) -> list[str]:
        """Kill the processes that runs no longer alive left behind."""
        return orphans.kill()

    @contextmanager
    def _on_port(
        self, server: Server, artifact: Path, budget: Budget, probe: Callable[[str], bool], port: int
    ) -> Iterator[Deployment]:
        python = environments.ensure(server, self._cache, lambda _: None) / "bin" / "python"
        log = log_path(self._logs, server.name, artifact)
        with log.open("ab") as file:
            log_start = file.tell()
            command = [str(python), *launch.arguments(server, str(artifact.resolve()), port, budget)]
            started = time.perf_counter()
            process = _spawner.submit(_start, command, budget, file.fileno()).result()
        deployment = ProcessDeployment(process, f"http://{launch.HOST}:{port}", log, log_start)
        try:
            deployment.cold_start_s = launch.wait_until_ready(
                deployment.url, probe, deployment.check, started, server.start_timeout_s
            )
            yield deployment
        finally:
            deployment.end()


def _start(command: list[str], budget: Budget, log: int) -> subprocess.Popen[bytes]:
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
        **launch.thread_environment(budget),
        owner.RUN: owned.run,
        owner.OWNER: owned.owner,
        "PYTHONPATH": str(SOURCES),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }
