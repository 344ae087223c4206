"""A server's container: how it is confined, and what is asked of it while it runs."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.engines import launch, owner, usage
from serving.engines.contract import Budget, Usage
from serving.engines.daemon import answering
from serving.errors import DidNotStart, ServerGone

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container as DockerContainer

RUN, OWNER = "deploy-compare.run", "deploy-compare.owner"
ARTIFACT = "/artifact"
USER = "65532:65532"
STOP_TIMEOUT_S = 3


def new_name(server: str) -> str:
    """A name nobody has: known before the container is, so that it can be removed whatever happens while it is made."""
    return f"deploy-compare-{server}-{secrets.token_hex(4)}"


def options(artifact: Path, budget: Budget) -> dict[str, Any]:
    """Everything a server may not do, as keyword arguments of `containers.create`."""
    from docker.types import LogConfig, Mount

    owned = owner.current()
    return {
        "labels": {RUN: owned.run, OWNER: owned.owner},
        "environment": launch.environment(budget),
        "mounts": [Mount(ARTIFACT, str(artifact), type="bind", read_only=True)],
        # The port proxy of a bridge network adds latency, and CPU time that no cgroup books to the server.
        "network_mode": "host",
        "user": USER,
        "read_only": True,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "cpuset_cpus": ",".join(str(cpu) for cpu in budget.cpus),
        "mem_limit": budget.memory_bytes,
        "memswap_limit": budget.memory_bytes,
        "pids_limit": budget.pids,
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "1"}),
    }


class Container:
    """One started container; `pid` is its first process as the host sees it."""

    def __init__(self, client: DockerClient, container: DockerContainer, url: str, budget: Budget) -> None:
        self.url = url
        self.cold_start_s = 0.0
        self._container = container
        self._budget = budget
        with answering(DidNotStart):
            container.start()
        self._pid: int = client.api.inspect_container(str(container.id))["State"]["Pid"]

    @answering()
    def usage(self) -> Usage:
        """Of the container's processes; raises `ServerGone` where it has ended."""
        found = usage.of(self._pid) if self._pid else None
        if found is None:
            raise ServerGone(self._ending(), self.logs())
        return found

    @answering()
    def pause(self) -> None:
        """Freeze its cgroup; raises `ServerGone` where it has ended."""
        self._container.reload()
        if self._container.status != "running":
            raise ServerGone(self._ending(), self.logs())
        self._container.pause()

    @answering()
    def resume(self) -> None:
        """Thaw it, if it is frozen."""
        self._container.reload()
        if self._container.status == "paused":
            self._container.unpause()

    @answering()
    def logs(self, lines: int = 40) -> str:
        """The tail of its stdout and stderr."""
        return self._container.logs(tail=lines).decode(errors="replace").rstrip("\n")

    @answering()
    def check(self) -> None:
        """Raise `DidNotStart` where it has ended; asks the daemon only when its process is gone."""
        if self._pid and Path(f"/proc/{self._pid}").exists():
            return
        self._container.reload()
        if self._container.status != "running":
            raise launch.ended(self._ending(), self.logs())

    def _ending(self) -> str:
        self._container.wait(timeout=STOP_TIMEOUT_S)  # its process is gone, the daemon's record may come a little later
        self._container.reload()
        state = self._container.attrs["State"]
        if state["OOMKilled"]:
            return f"the server was killed: out of memory (limit {self._budget.memory_bytes / 2**20:.0f} MiB)"
        return f"the server exited with {state['ExitCode']}"


@answering()
def keep_log(client: DockerClient, name: str, path: Path) -> None:
    """Append a container's log to a file before it is removed with it; nothing where the container was never made."""
    from docker.errors import NotFound

    try:
        container = client.containers.get(name)
    except NotFound:
        return
    with path.open("ab") as file:
        file.write(container.logs())


@answering()
def remove(client: DockerClient, name: str) -> None:
    """End and remove a container in whatever state it is; nothing where there is none."""
    from docker.errors import APIError, NotFound

    try:
        container = client.containers.get(name)
        if container.status == "paused":
            container.unpause()
        if container.status in ("running", "paused"):
            container.stop(timeout=STOP_TIMEOUT_S)
    except NotFound:
        return
    except APIError:
        pass  # ended meanwhile, or will not: it is removed by force
    finally:
        with suppress(NotFound):
            client.api.remove_container(name, force=True, v=True)
