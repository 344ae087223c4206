"""What a client reports of a request, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, as a protocol's `decode` takes it."""

    status: int
    """HTTP's, or gRPC's code: 0 is OK."""
    headers: Mapping[str, str]
    """HTTP's, or gRPC's trailers."""
    body: bytes


class Sink(Protocol):
    """Learns what became of each request: exactly one of these, once, never from within `Client.send`."""

    def answered(self, row: int, end: float, status: int, length: int, answer: Callable[[], Answer]) -> None:
        """The whole answer was there at `end`: `status` as of `Samples.status`, a body of `length` bytes.

        `answer()` is for the few that are looked at, and is only good until this returns.
        """

    def failed(self, row: int, kind: str, message: str) -> None:
        """No answer; `kind` is that of `loadtests.block.ErrorKind`."""


class Client(Protocol):
    """Sends requests that were encoded beforehand; never waits."""

    def open(self, count: int) -> None:
        """Make ready for `count` requests in flight; where the server refuses, the requests will find out."""

    def send(self, payload: int, row: int) -> None:
        """Begin to send request `payload`; `recorder.sent[row]` is set when its first byte leaves."""

    def close(self) -> None:
        """End what is under way; the sink hears nothing any more."""
