"""The server's life: load, listen, serve, and drain when it is told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import dataclass

from serving.reference import listener, log
from serving.reference.connection import Connection, Limits, Shared
from serving.reference.repository import Load, Repository, Source
from serving.reference.routes import Routes

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


async def serve(source: Source, load: Load, settings: Settings) -> bool:
    """Serve until SIGTERM or SIGINT; True where all requests taken were answered by then.

    Raises what keeps it from starting: `ArtifactError`, `ConfigError`, `RuntimeUnavailable`, or a library's own error.
    """
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, os._exit, 0)  # while models load there is nobody to answer
    repository = Repository(source, load, settings.model_control)
    await repository.load_all()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    routes = Routes(repository)
    shared = Shared(routes, settings.limits, settings.access_log)
    http = await loop.create_server(lambda: Connection(shared), sock=settings.listener, backlog=1024)
    log.write("info", "ready", url="http://{}:{}".format(*settings.listener.getsockname()), pid=os.getpid())
    caretaker = asyncio.create_task(_look_after(shared))
    await ending.wait()

    routes.ready, shared.draining = False, True
    log.write("info", "draining", connections=len(shared.connections))
    await listener.close(http, settings.listener)
    drained = await _drain(shared, settings.drain_s)
    caretaker.cancel()
    log.write("info", "ended", drained=drained)
    return drained


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
