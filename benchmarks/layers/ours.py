"""`python -m benchmarks.layers.ours PORT`: our own HTTP layer before an application that does nothing."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from serving.reference.connection import Connection, Shared
from serving.reference.exchange import JSON, Exchange, Reply, reply
from serving.reference.reader import Limits

BODY = b"x" * 200


def application(exchange: Exchange) -> Reply:  # noqa: ARG001 — whatever is asked
    return reply(200, JSON, [BODY])


async def main() -> None:
    shared = Shared(application, Limits(body_bytes=2**20, connections=1024), access_log=False)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(shared), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
