"""What a request is refused with."""

from __future__ import annotations


class RequestError(Exception):
    """An answer other than 200: HTTP status, one line of reason, and the headers that the status asks for."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}
