"""The Open Inference Protocol v2 over HTTP as a raw ASGI application: no framework on the hot path."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from serving.reference.body import header_length, read
from serving.reference.errors import RequestError
from serving.reference.model import VERSION, Model
from serving.reference.response import JSON, Headers

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

SERVER = {"name": "deploy-compare-reference", "version": "1", "extensions": ["binary_tensor_data"]}


class App:
    """Serves one loaded model: a server that answers is a server that is ready."""

    def __init__(self, model: Model, max_body_bytes: int) -> None:
        self._model = model
        self._max_body_bytes = max_body_bytes
        base = f"/v2/models/{model.name}"
        pages: dict[str, object] = {
            "/v2": SERVER,
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"ready": True},
        }
        for prefix in (base, f"{base}/versions/{VERSION}"):
            pages[prefix] = model.metadata()
            pages[f"{prefix}/ready"] = {"name": model.name, "ready": True}
        self._pages = {path: orjson.dumps(page) for path, page in pages.items()}
        self._infer = frozenset((f"{base}/infer", f"{base}/versions/{VERSION}/infer"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, headers, body = 200, *await self._respond(scope, receive)
        except RequestError as exc:
            status, headers, body = _refusal(exc)
        except Exception as exc:  # a bug of ours: the client gets a status, the log gets the cause
            print(f"internal error: {exc!r}", file=sys.stderr, flush=True)
            status, headers, body = _refusal(RequestError(500, "internal error"))
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _respond(self, scope: Scope, receive: Receive) -> tuple[Headers, bytes]:
        path, method = scope["path"], scope["method"]
        if path in self._infer:
            _allow(method, "POST")
            body = await read(scope["headers"], receive, self._max_body_bytes)
            length = header_length(scope["headers"])
            return await asyncio.get_running_loop().run_in_executor(
                self._model.worker, self._model.answer, body, length
            )
        if path in self._pages:
            _allow(method, "GET")
            return JSON, self._pages[path]
        raise RequestError(404, self._unknown(path))

    def _unknown(self, path: str) -> str:
        parts = path.split("/")
        if path.startswith("/v2/models/") and parts[3] != self._model.name:
            return f"unknown model {parts[3]!r}; known: {self._model.name}"
        if path.startswith("/v2/models/") and len(parts) > 5 and parts[4] == "versions" and parts[5] != VERSION:
            return f"unknown version {parts[5]!r} of model {parts[3]!r}; known: {VERSION}"
        return f"unknown path {path!r}"


def _allow(method: str, allowed: str) -> None:
    if method != allowed:
        raise RequestError(405, f"method {method} is not allowed here; allowed: {allowed}", {"allow": allowed})


def _refusal(error: RequestError) -> tuple[int, Headers, bytes]:
    headers = [(name.encode(), value.encode()) for name, value in error.headers.items()]
    return error.status, [*JSON, *headers], orjson.dumps({"error": error.reason})
