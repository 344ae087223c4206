"""A small gRPC server: `python grpc_server.py MODE`, prints its port; every method echoes its message.

Modes: fast, slow (20 ms each), exhausted (RESOURCE_EXHAUSTED), hang (never answers).
"""

from __future__ import annotations

import asyncio
import signal
import sys

import grpc.aio

SLOW_S = 0.02


class Handler(grpc.GenericRpcHandler):
    """Answers whatever is called."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return grpc.unary_unary_rpc_method_handler(self.answer)

    async def answer(self, message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        match self.mode:
            case "exhausted":
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "out of cheese")
            case "hang":
                await asyncio.sleep(3600)
            case "slow":
                await asyncio.sleep(SLOW_S)
        return message


async def main(mode: str) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handler(mode),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(main(sys.argv[1]))
