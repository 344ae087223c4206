"""The server's life: load, listen, serve, and drain when it is told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.reference import listener, log
from serving.reference.connection import Connection, Shared
from serving.reference.reader import Limits
from serving.reference.repository import Load, Repository, Source
from serving.reference.routes import Routes

if TYPE_CHECKING:
    from serving.reference.grpc_server import GrpcServer

QUIET_S = 0.5
"""A connection without a request for so long is closed while draining; the others are told to with their answer."""


@dataclass(frozen=True)
class Settings:
    """How to serve, apart from the models."""

    listener: socket.socket
    grpc_address: str | None
    limits: Limits
    drain_s: float
    access_log: bool
    model_control: bool
    tfs_grpc: bool = False
    """Whether TensorFlow Serving's services are among those of gRPC."""


async def serve(source: Source, load: Load, settings: Settings) -> bool:
    """Serve until SIGTERM or SIGINT; True where all requests taken were answered by then.

    Raises what keeps it from starting: `ArtifactError`, `ConfigError`, `RuntimeUnavailable`, or a library's own error.
    """
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, os._exit, 0)  # while models load there is nobody to answer
    grpc = _grpc_server(settings)
    repository = Repository(source, load, settings.model_control)
    await repository.load_all()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    routes = Routes(repository)
    shared = Shared(routes.respond, settings.limits, settings.access_log)
    http = await loop.create_server(lambda: Connection(shared), sock=settings.listener, backlog=1024)
    if grpc:
        await _start(grpc, settings, repository, lambda: routes.ready)
    url = "http://{}:{}".format(*settings.listener.getsockname())
    log.write("info", "ready", url=url, grpc_port=grpc.port if grpc else None, pid=os.getpid())
    caretaker = asyncio.create_task(_look_after(shared))
    await ending.wait()

    routes.ready, shared.draining = False, True
    log.write("info", "draining", connections=len(shared.connections))
    await listener.close(http, settings.listener)
    ends = [_drain(shared, settings.drain_s)]
    if grpc:
        ends.append(grpc.drain(settings.drain_s))
    drained = all(await asyncio.gather(*ends))
    caretaker.cancel()
    log.write("info", "ended", drained=drained)
    return drained


def _grpc_server(settings: Settings) -> GrpcServer | None:
    """Made before the models are loaded, so that a taken port is said at once."""
    if not settings.grpc_address:
        return None
    from serving.reference.grpc_server import GrpcServer

    return GrpcServer(settings.grpc_address, settings.limits, settings.access_log)


async def _start(grpc: GrpcServer, settings: Settings, repository: Repository, ready: Callable[[], bool]) -> None:
    from serving.reference import oip_grpc

    oip_grpc.add(grpc, repository, ready)
    if settings.tfs_grpc:
        from serving.reference import tfs_grpc

        tfs_grpc.add(grpc, repository, settings.limits.body_bytes)
    await grpc.start()


async def _look_after(shared: Shared) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1)
        for connection in list(shared.connections):
            connection.look_after(loop.time())


async def _drain(shared: Shared, limit_s: float) -> bool:
    """Wait until every connection is closed; those without a request are closed once they have been quiet."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while shared.connections and loop.time() < deadline:
        for connection in list(shared.connections):
            connection.close_if_quiet(loop.time(), QUIET_S)
        await asyncio.sleep(0.02)
    return not shared.connections
