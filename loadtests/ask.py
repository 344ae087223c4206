"""One HTTP request on a connection of its own, on the standard library: no gevent on the host's side."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from loadtests.errors import NotReady, ProtocolError
from loadtests.request import Request


def post(url: str, request: Request, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
    """Send to `http://host:port` and return status, headers and body.

    Raises `NotReady` where nothing listens, the connection breaks or `timeout_s` seconds have passed, `ProtocolError`
    where the answer is not HTTP.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    deadline = time.perf_counter() + timeout_s
    try:
        connection.request("POST", request.path, request.body, request.headers)
        # The socket's timeout is per operation; what is left of it goes to waiting for the answer.
        connection.sock.settimeout(max(0.001, deadline - time.perf_counter()))
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    except TimeoutError as exc:
        raise NotReady(f"{url}: no answer within {timeout_s:g} s") from exc
    except (OSError, http.client.RemoteDisconnected, http.client.IncompleteRead) as exc:
        raise NotReady(f"{url}: {exc}") from exc
    except http.client.HTTPException as exc:
        raise ProtocolError(f"{url}: the answer is not HTTP: {exc!r}") from exc
    finally:
        connection.close()
