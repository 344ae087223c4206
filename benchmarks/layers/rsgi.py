"""The same in granian's own interface, which spares it the translation to ASGI."""

from __future__ import annotations

from typing import Any

BODY = b"x" * 200


async def app(scope: object, protocol: Any) -> None:  # noqa: ARG001 — RSGI's signature
    await protocol()
    protocol.response_bytes(200, [("content-type", "application/json")], BODY)
