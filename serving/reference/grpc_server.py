"""gRPC beside HTTP, on the same event loop. Only imported where `--grpc-port` asks for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # read at import: its log lines are not ours, nor one line each
import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from serving.reference import log
from serving.reference.errors import REFUSALS, RequestError
from serving.reference.reader import Limits

STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    412: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""gRPC's status by HTTP's."""

MAX_REASON_BYTES = 2000
"""A reason travels in a header, as up to three times as many bytes; clients refuse headers of 8 kB."""
SOONEST_S = 1e-6
QUIET_S = 0.1
"""Clients who have heard nothing for so long have nothing more to ask."""
HELD_S = 1.0
"""Others, who send whether they are answered or not, are waited for no longer than this."""

Context = grpc.aio.ServicerContext[bytes, bytes]
Document = dict[str, Any]
"""A message as JSON has it."""
Method = Callable[[Any, Context], Awaitable[Message | Document]]


class GrpcServer:
    """Answers calls on one address, with the methods of services that are added before it starts."""

    def __init__(self, address: str, limits: Limits, access_log: bool) -> None:
        """Take the address; raises `RuntimeError` where that is not possible. Calls wait until `start`."""
        self._access_log = access_log
        self._calls = 0
        self._gate = asyncio.Event()
        self._gate.set()
        options = [
            ("grpc.so_reuseport", 0),  # otherwise a second server on the port would take half of the connections
            ("grpc.max_receive_message_length", limits.body_bytes),  # RESOURCE_EXHAUSTED beyond
        ]
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=limits.connections)
        self.port = self._server.add_insecure_port(address)

    def add(self, name: str, service: ServiceDescriptor, methods: object) -> None:
        """Serve what `methods` has of a service's methods, by their names; the others are UNIMPLEMENTED."""
        handlers = {
            method.name: self._handler(f"/{name}/{method.name}", method, getattr(methods, method.name))
            for method in service.methods
            if hasattr(methods, method.name)
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))

    async def start(self) -> None:
        await self._server.start()

    async def drain(self, limit_s: float) -> bool:
        """Take no more calls and answer those in flight; False where some had to be given up after `limit_s`.

        gRPC cancels calls that have arrived when it stops, but have not begun. So all begin, those that come last are
        held until clients wait for answers instead of sending more, and are answered once gRPC has told them to leave.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self._gate.clear()
        before = -1
        while before != self._calls and loop.time() < begun + HELD_S:
            before = self._calls
            await asyncio.sleep(QUIET_S)
        stopped = asyncio.create_task(self._server.stop(limit_s))
        await asyncio.sleep(0)  # it has begun
        self._gate.set()
        await stopped
        return loop.time() < begun + limit_s

    def _handler(self, path: str, kind: MethodDescriptor, method: Method) -> grpc.RpcMethodHandler[bytes, bytes]:
        request_class, response_class = GetMessageClass(kind.input_type), GetMessageClass(kind.output_type)

        # Not left to gRPC, which would call bytes that do not parse an internal error.
        async def answer(raw: bytes, context: Context) -> bytes:
            self._calls += 1
            await self._gate.wait()
            try:
                found = await method(request_class.FromString(raw), context)
                response = found if isinstance(found, Message) else ParseDict(found, response_class())
            except DecodeError as exc:
                error = RequestError(400, f"not a message {kind.input_type.name}: {exc}")
            except RequestError as exc:
                error = exc
            except Exception as exc:
                # A bug of ours: the client gets a status, the log gets the cause.
                log.write("error", "internal error", path=path, reason=repr(exc))
                error = RequestError(500, "internal error")
            else:
                self._log(path, grpc.StatusCode.OK)
                return response.SerializeToString()
            status = STATUS[error.status]
            REFUSALS["grpc", status.name] += 1
            self._log(path, status)
            reason = error.reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")
            return await context.abort(status, reason)

        return grpc.unary_unary_rpc_method_handler(answer)

    def _log(self, path: str, status: grpc.StatusCode) -> None:
        if self._access_log:
            log.write("info", "request", method="gRPC", path=path, status=status.name)


def timeout_s(context: Context, own_s: float = 0.0) -> float:
    """The sooner of the client's deadline and the one in the request; 0 is none."""
    left_s: float | None = context.time_remaining()
    if left_s is None:
        return own_s
    left_s = max(left_s, SOONEST_S)
    return min(left_s, own_s) if own_s else left_s
