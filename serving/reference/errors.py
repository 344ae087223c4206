"""What a request is refused with."""

from __future__ import annotations

from collections import Counter

REFUSALS: Counter[tuple[str, str]] = Counter()
"""Answers other than success since the server began, by protocol and status: also those that no model saw."""


class RequestError(Exception):
    """An answer other than success: HTTP status, one line of reason, and the headers that the status asks for.

    The status is HTTP's; gRPC's front end translates it (`grpc_server.STATUS`), so that both say the same thing.
    """

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}


def overloaded(reason: str) -> RequestError:
    """429: this request was not taken because others wait already."""
    return RequestError(429, reason, {"retry-after": "1"})


def unavailable(reason: str) -> RequestError:
    """503: not now, on this server; soon or elsewhere."""
    return RequestError(503, reason, {"retry-after": "1"})
