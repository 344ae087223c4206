"""One HTTP request on a connection of its own, on the standard library: no gevent on the host's side."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from loadtests.errors import NotReady, ProtocolError
from loadtests.request import Request


def post(url: str, request: Request, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
    """`exchange` by POST, of which 503 is `NotReady` too."""
    status, headers, body = exchange(url, "POST", request.path, request.body, request.headers, timeout_s)
    if status == 503:
        raise NotReady(f"status 503: {_error_text(body)}")
    return status, headers, body


def exchange(
    url: str, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
) -> tuple[int, dict[str, str], bytes]:
    """Send to `http://host:port` and return status, headers and body.

    Raises `NotReady` where nothing listens, the connection breaks or `timeout_s` seconds have passed, `ProtocolError`
    where the answer is not HTTP, or says that it is longer than this machine's memory.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    with contextlib.closing(connection), _explained(url):
        connection.connect()
        with _cut_off(connection.sock, timeout_s, url):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()


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
    except (MemoryError, OverflowError) as exc:
        raise ProtocolError(f"{url}: the answer says that it is longer than this machine's memory") from exc


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
