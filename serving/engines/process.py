"""The process engine: servers as child processes, started from environments with the images' own requirements.

What it lacks of a container: memory and number of tasks are not limited (`setrlimit` counts tasks per user, and address
space, of which TensorFlow reserves far more than it uses), and the file system is the host's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from serving.catalog import Server
from serving.engines import environments, launch, orphans
from serving.engines.artifacts import log_path
from serving.engines.contract import Budget, Deployment, Prepared, Say
from serving.engines.processes import ChildProcess, spawn
from serving.errors import BuildFailed


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
        try:
            folder = environments.ensure(server.name, server.requirements, self._cache, say)
        except OSError as exc:
            raise BuildFailed(f"cannot build the environment of {server.name}: {exc}") from exc
        digest = folder.name.rpartition("-")[2]
        return Prepared(str(folder), digest, environments.size_bytes(folder), None)

    def deploy(
        self, server: Server, artifact: Path, budget: Budget, probe: Callable[[str], bool], protocol: str
    ) -> AbstractContextManager[Deployment]:
        """See `Engine.deploy`."""
        return launch.on_free_ports(protocol, partial(self._on_ports, server, artifact, budget, probe))

    def sweep(self) -> list[str]:
        """Kill the processes that runs no longer alive left behind."""
        return orphans.kill()

    @contextmanager
    def _on_ports(
        self, server: Server, artifact: Path, budget: Budget, probe: Callable[[str], bool], ports: launch.Ports
    ) -> Iterator[Deployment]:
        python = Path(self.prepare(server, lambda _: None).reference) / "bin" / "python"
        log = log_path(self._logs, server.name, artifact)
        with log.open("ab") as file:
            log_start = file.tell()
            command = [str(python), *launch.arguments(server, str(artifact.resolve()), ports, budget)]
            started = time.perf_counter()
            process = spawn(command, budget, file.fileno())
        deployment = ChildProcess(process, ports.url, log, log_start)
        try:
            deployment.cold_start_s = launch.wait_until_ready(deployment, probe, started, server.start_timeout_s)
            yield deployment
        finally:
            deployment.end()
