"""The least ASGI application: reads the body, answers 200 bytes. For uvicorn and granian."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

BODY = b"x" * 200
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"200")]


async def app(
    scope: dict[str, Any],  # noqa: ARG001 — ASGI's signature
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
