"""One HTTP request on a connection of its own, on the standard library: no gevent on the host's side."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from loadtests.errors import NotReady, ProtocolError
from loadtests.request import Request


def post(url: str, request: Request, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
    """Send to `http://host:port` and return status, headers and body.

    Raises `NotReady` where nothing listens, the connection breaks, `timeout_s` seconds have passed or the status is
    503, `ProtocolError` where the answer is not HTTP.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    with contextlib.closing(connection), _explained(url):
        connection.connect()
        with _cut_off(connection.sock, timeout_s, url):
            connection.request("POST", request.path, request.body, request.headers)
            response = connection.getresponse()
            status, headers, body = response.status, dict(response.getheaders()), response.read()
    if status == 503:
        raise NotReady(f"status 503: {_error_text(body)}")
    return status, headers, body


def require_ok(status: int, body: bytes) -> None:
    """Raise `ProtocolError` with the server's words unless the status is 200."""
    if status != 200:
        raise ProtocolError(f"status {status}: {_error_text(body)}")


def _error_text(body: bytes) -> str:
    """What `{"error": "…"}` says, as both protocols' servers answer; else the beginning of the body."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, TypeError, KeyError):
        return body[:200].decode(errors="replace") or "no message"


@contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.IncompleteRead) as exc:
        raise NotReady(f"{url}: {exc}") from exc
    except http.client.HTTPException as exc:
        raise ProtocolError(f"{url}: the answer is not HTTP: {exc!r}") from exc


@contextmanager
def _cut_off(connection: socket.socket, timeout_s: float, url: str) -> Iterator[None]:
    """Break the connection when the time is up: the socket's own timeout starts anew with every byte that comes."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as exc:
        if late.is_set() or isinstance(exc, TimeoutError):
            raise NotReady(f"{url}: no answer within {timeout_s:g} s") from exc
        raise
    finally:
        timer.cancel()
