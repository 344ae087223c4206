"""The docker engine: servers as hardened containers on the host's network, bound to the loopback address."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from serving.catalog import Server
from serving.engines import containers, images, launch, owner
from serving.engines.artifacts import log_path, readable_by_all
from serving.engines.containers import Container
from serving.engines.contract import Budget, Deployment, Prepared, Say
from serving.engines.daemon import answering
from serving.errors import BuildFailed, DidNotStart

if TYPE_CHECKING:
    from docker import DockerClient

PING_TIMEOUT_S = 5  # a daemon that hangs is one that does not answer
CALL_TIMEOUT_S = 300  # sending a build context of gigabytes takes its time


class Docker:
    """Starts servers as containers of the daemon that the environment names (`DOCKER_HOST`, or the local socket)."""

    name = "docker"

    def __init__(self, cache: Path, logs: Path) -> None:
        self._cache = cache
        self._logs = logs

    def unavailable(self) -> str | None:
        """Asks the daemon; a remote one will not do, as its containers are not on this machine's loopback address."""
        import docker
        from docker.errors import DockerException

        if os.environ.get("DOCKER_HOST", "unix://").startswith(("tcp:", "ssh:", "http")):
            return "DOCKER_HOST names a remote daemon: unset it, or choose --engine process"
        try:
            docker.from_env(timeout=PING_TIMEOUT_S).ping()
        except (DockerException, OSError) as exc:
            reason = str(exc).splitlines()[0]
            return f"no Docker daemon answers ({reason}): start it (dockerd), or choose --engine process"
        return None

    @answering()
    def prepare(self, server: Server, say: Say) -> Prepared:
        """Build (or find) the server's image."""
        try:
            return images.ensure(self._client, server, self._cache, say)
        except OSError as exc:
            raise BuildFailed(f"cannot build the image of {server.name}: {exc}") from exc

    def deploy(
        self, server: Server, artifact: Path, budget: Budget, probe: Callable[[str], bool], protocol: str
    ) -> AbstractContextManager[Deployment]:
        """See `Engine.deploy`."""
        return launch.on_free_ports(protocol, partial(self._on_ports, server, artifact, budget, probe))

    @answering()
    def sweep(self) -> list[str]:
        """Remove the containers (running, paused, created or exited) of runs that are no longer alive."""
        removed = []
        for found in self._client.containers.list(all=True, filters={"label": containers.OWNER}, ignore_removed=True):
            if not owner.alive(found.labels[containers.OWNER]):
                containers.remove(self._client, str(found.name))
                removed.append(f"container {found.name} of run {found.labels.get(containers.RUN, '?')}")
        return removed

    @cached_property
    def _client(self) -> DockerClient:
        import docker

        return docker.from_env(timeout=CALL_TIMEOUT_S)

    @contextmanager
    def _on_ports(
        self, server: Server, artifact: Path, budget: Budget, probe: Callable[[str], bool], ports: launch.Ports
    ) -> Iterator[Deployment]:
        image = self.prepare(server, lambda _: None).reference
        log = log_path(self._logs, server.name, artifact)
        name = containers.new_name(server.name)
        with readable_by_all(artifact, self._cache / "readable") as mounted:
            try:
                options = containers.options(mounted, budget)
                command = launch.arguments(server, containers.ARTIFACT, ports, budget)
                with answering(DidNotStart):
                    created = self._client.containers.create(image, command, name=name, **options)
                started = time.perf_counter()
                deployment = Container(self._client, created, ports.url, budget)
                deployment.cold_start_s = launch.wait_until_ready(deployment, probe, started, server.start_timeout_s)
                yield deployment
            finally:
                try:
                    containers.keep_log(self._client, name, log)
                finally:
                    containers.remove(self._client, name)
