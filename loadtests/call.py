"""One gRPC call on a channel of its own, without gevent, and what its status means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import grpc

from loadtests.errors import NotReady, ProtocolError
from loadtests.request import Request

MESSAGE = "grpc-message"

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # else a channel waits out the back-off of an earlier one to the address
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
"""Of every channel to a server under test."""

_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_NOT_YET = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def unary(url: str, request: Request, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
    """Call `grpc://host:port` and return the status code, the trailers and the message (empty unless the code is 0).

    Raises `NotReady` where nothing listens, the connection breaks, the server is not available, or `timeout_s` seconds
    have passed.
    """
    with grpc.insecure_channel(urlsplit(url).netloc, options=OPTIONS) as channel:
        call: Any = channel.unary_unary(request.path)
        try:
            return 0, {}, call(request.body, timeout=timeout_s, metadata=tuple(request.headers.items()))
        except grpc.RpcError as exc:
            error: Any = exc
            code, details = error.code(), error.details() or ""
            if code in _NOT_YET:
                raise NotReady(f"{url}: {code.name}: {details}") from exc
            return code.value[0], {MESSAGE: details}, b""


def require_ok(status: int, headers: Mapping[str, str]) -> None:
    """Raise `ProtocolError` with the code's name and the server's words unless the status is 0."""
    if status != 0:
        raise ProtocolError(f"status {status} {_NAMES.get(status, '?')}: {headers.get(MESSAGE) or 'no message'}")
