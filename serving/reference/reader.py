"""From bytes to requests on one connection: httptools parses what was not seen before.

Clients that stay connected send the same head with every request. A head that llhttp parsed, and that began and ended
within one read, is kept by its bytes; the next one like it, with its body behind it and nothing else, is not parsed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httptools
import numpy as np

from serving.reference.errors import RequestError
from serving.reference.exchange import ALIGNED, Exchange, Head
from serving.reference.memo import MAX_KEY_BYTES, Memo

MAX_HEAD_BYTES = 64 * 1024
"""Of headers, trailers or the lengths of chunks, beyond what came in one read with their beginning."""
DIRECT_BYTES = 64 * 1024
"""A body of this size is read straight into memory of its own, which its tensors are then views of."""

_SHARED = bytearray(256 * 1024)  # uvloop reads and calls back in one step, so that connections can share it
_VIEW = memoryview(_SHARED)
_BEGINNING = _VIEW[:4096]
"""Read first where the body before was read directly: little of the next one then lies in the wrong place."""
_HEADS: Memo[bytes, Head] = Memo()
_END = b"\r\n\r\n"
_NOT_KEPT = {b"transfer-encoding", b"expect"}  # with these a body is more than its length
_UPGRADING = {b"upgrade", b"http2-settings"}


@dataclass(slots=True)
class Limits:
    """What one client may ask of the server."""

    body_bytes: int
    connections: int
    stall_s: float = 10.0
    """A request that has begun and does not come on for so long is given up."""
    idle_s: float = 3600.0
    """A candidate is paused for minutes while others are measured; its connections must survive that."""


class Reader:
    """Hands over each request as soon as it is whole, or the error it is refused with; nothing is read after one."""

    def __init__(
        self, limits: Limits, take: Callable[[Exchange | RequestError], None], invite: Callable[[bytes], None]
    ) -> None:
        """`invite` sends the interim response that a client waits for before its body."""
        self._limits = limits
        self._take = take
        self._invite = invite
        self._parser = httptools.HttpRequestParser(self)
        self._direct: memoryview | None = None
        self._direct_end = 0
        self._was_direct = False
        self._head_bytes = 0
        self._read: bytes | None = None  # the head as it was read, where it may be kept
        self._last: tuple[bytes, Head] | None = None
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._head: Head = None  # type: ignore[assignment]  # set before the body
        self._now = self._began = 0.0
        self.in_head = self.in_body = False
        self.refused = False

    def buffer(self) -> memoryview:
        """Where the next bytes belong."""
        if self._direct is not None:
            return self._direct[self._direct_end :]
        return _BEGINNING if self._was_direct else _VIEW

    def feed(self, nbytes: int, now: float) -> None:
        """So many bytes came into the buffer at that time, in seconds of the loop."""
        self._now = now
        if self._direct is not None:
            self._fill(self._direct, nbytes)
            return
        self._was_direct = False
        if not self.refused and (self.in_head or self.in_body or not self._known(nbytes)):
            self._parse(_VIEW[:nbytes], nbytes)

    def refuse(self, error: RequestError) -> None:
        """What the client still sends is not looked at."""
        if self.refused:
            return
        self.refused, self.in_head, self.in_body, self._direct = True, False, False, None
        self._take(error)

    def stalls(self, now: float, quiet_s: float) -> bool:
        """Whether a request has begun and does not come on; a head as a whole must be there in time."""
        limit_s = self._limits.stall_s
        return (self.in_body and quiet_s > limit_s) or (self.in_head and now - self._began > limit_s)

    def _known(self, nbytes: int) -> bool:
        """Take a request whose head was parsed before; False where it was not, or where another request follows."""
        self._read = None
        if self._last is not None and _SHARED.startswith(self._last[0], 0, nbytes):  # it ends where a head ends
            text, head = self._last
            start = len(text)
        else:
            start = _SHARED.find(_END, 0, min(nbytes, MAX_KEY_BYTES)) + len(_END)
            if start < len(_END):
                return False
            text = bytes(_VIEW[:start])
            known = _HEADS.get(text)
            if known is None:
                self._read = text
                return False
            head = known
            self._last = text, head
        if start + head.length < nbytes or head.length > self._limits.body_bytes:
            return False
        if start + head.length == nbytes:
            self._take(Exchange(head, memoryview(_SHARED[start - head.pad : nbytes])[head.pad :]))
        else:
            self._head, self.in_body = head, True
            self._begin(_VIEW[start:nbytes])
        return True

    def _begin(self, body: memoryview | bytearray) -> None:
        """Read the rest of a body into memory of its own."""
        pad = self._head.pad
        # Not a bytearray, which would be filled with zeros first.
        self._direct = np.empty(pad + self._head.length, np.uint8).data[pad:]
        self._direct[: len(body)] = body
        self._direct_end = 0
        self._fill(self._direct, len(body))

    def _fill(self, body: memoryview, nbytes: int) -> None:
        self._direct_end += nbytes
        if self._direct_end == len(body):
            self._direct, self._was_direct = None, True
            self._complete(body)

    def _parse(self, data: memoryview, nbytes: int) -> None:
        self._head_bytes += nbytes
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            self._decline(data[exc.args[0] :])
            return
        except httptools.HttpParserError as exc:
            self.refuse(RequestError(400, f"not HTTP/1.1: {exc}"))
        if self.refused:
            return
        if self._head_bytes > MAX_HEAD_BYTES and (self.in_head or self.in_body):
            self.refuse(RequestError(431, f"the headers are larger than {MAX_HEAD_BYTES} bytes"))
        elif self.in_body and self._head.length >= DIRECT_BYTES:
            self._parser = httptools.HttpRequestParser(self)  # the old one still waits for the body
            self._begin(self._body)

    def _decline(self, rest: memoryview) -> None:
        """Read a request that asks for another protocol as what it is; Java's client asks so in its first one."""
        method = self._parser.get_method()
        if method == b"CONNECT":
            self.refuse(RequestError(405, "method CONNECT is not allowed here"))
            return
        headers = {name: value for name, value in self._headers.items() if name not in _UPGRADING}
        lines = [b"%b: %b" % header for header in (headers | {b"connection": b"close"}).items()]
        head = b"\r\n".join([b"%b %b HTTP/1.1" % (method, self._url), *lines, b"", b""])
        self._parser = httptools.HttpRequestParser(self)
        self._parse(memoryview(head + rest), len(rest))

    def _complete(self, body: memoryview) -> None:
        self.in_body = False
        self._take(Exchange(self._head, body))

    # -- what httptools calls

    def on_message_begin(self) -> None:
        self.in_head, self._head_bytes, self._url, self._headers, self._body = True, 0, b"", {}, bytearray()
        self._began = self._now

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # not of trailers, which would change what was decided by the head
            self._headers[name.lower()] = value.strip()

    def on_headers_complete(self) -> None:
        text, self._read = self._read, None  # the next head of this read is not at its beginning
        if self._parser.should_upgrade():
            return
        self.in_head, self.in_body = False, True
        headers, limit = self._headers, self._limits.body_bytes
        length = int(headers.get(b"content-length", b"0"))  # llhttp lets only digits through
        url = self._url if self._url[:4].lower() != b"http" else httptools.parse_url(self._url).path or b"/"
        path = url.partition(b"?")[0].decode("latin-1")
        keep_alive = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
        before = headers.get(b"inference-header-content-length", b"")
        pad = -int(before[-4:]) % ALIGNED if before.isdigit() else 0  # 10,000 is a multiple of it
        self._head = Head(self._parser.get_method(), path, headers, keep_alive, length, pad)
        if length > limit:
            self.refuse(_too_large(limit))
        elif headers.get(b"content-encoding", b"identity").lower() != b"identity":
            self.refuse(RequestError(415, "compressed bodies are not supported"))
        elif headers.get(b"expect", b"").lower() == b"100-continue":
            self._invite(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif text and keep_alive and _is_whole(text) and not headers.keys() & _NOT_KEPT:
            _HEADS.keep(text, self._head)

    def on_body(self, body: bytes) -> None:
        if self.refused:
            return
        self._head_bytes = 0
        self._body += body
        if len(self._body) > self._limits.body_bytes:  # a chunked one says no length beforehand
            self.refuse(_too_large(self._limits.body_bytes))

    def on_message_complete(self) -> None:
        if not self.refused and not self._parser.should_upgrade():
            self._complete(memoryview(self._body))


def _is_whole(text: bytes) -> bool:
    """Whether the first empty line ends the head that llhttp read: empty lines before it do not, nor do bare feeds."""
    return not text.startswith(b"\r") and text.count(b"\n") == text.count(b"\r\n")


def _too_large(limit_bytes: int) -> RequestError:
    return RequestError(413, f"the body is larger than {limit_bytes} bytes")
