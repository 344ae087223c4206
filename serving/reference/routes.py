"""The HTTP surface: which path is answered by what. `openapi.json` beside this file describes it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from serving.reference import pages, tfs_rest
from serving.reference.errors import RequestError, unavailable
from serving.reference.exchange import JSON, Exchange, Pending, Reply, page
from serving.reference.metrics import Metrics
from serving.reference.repository import Repository
from serving.reference.request import decode, header_length
from serving.reference.response import encode

OPENAPI = Path(__file__).with_name("openapi.json")


class Routes:
    """Calls what a request is for. Replies that a runtime or a loader takes part in are pending."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._metrics = Metrics(repository.models)
        self._openapi: Reply = 200, JSON, [OPENAPI.read_bytes()]
        self.ready = True
        """Turned false when the server drains."""

    def __call__(self, exchange: Exchange) -> Reply | Pending:
        path = unquote(exchange.path) if "%" in exchange.path else exchange.path
        parts = path.split("/")
        post = exchange.method == b"POST"
        match parts:
            case ["", "v2", "models", name, "infer"] if post:
                return self._infer(exchange, name, "")
            case ["", "v2", "models", name, "versions", version, "infer"] if post:
                return self._infer(exchange, name, version)
            case ["", "v1", "models", *rest]:
                return tfs_rest.respond(exchange, self._repository, rest)
        if post:
            return self._post(exchange, parts)
        if exchange.method not in (b"GET", b"HEAD"):
            raise _not_allowed(exchange.method, "GET, HEAD, POST")
        return self._get(parts)

    def _infer(self, exchange: Exchange, name: str, version: str) -> Pending:
        model = self._repository.model(name, version)
        length = header_length(exchange.headers.get(b"inference-header-content-length"))
        request = decode(exchange.body, length)
        return Pending(
            model.submit(request.inputs, request.outputs, request.timeout_s), partial(encode, model, request)
        )

    def _post(self, exchange: Exchange, parts: list[str]) -> Reply | Pending:
        match parts:
            case ["", "v2", "repository", "index"]:
                return page(self._repository.index(bool(_json(exchange).get("ready", False))))
            case ["", "v2", "repository", "models", name, "load"]:
                return _later(self._repository.load(name, _settings(exchange)))
            case ["", "v2", "repository", "models", name, "unload"]:
                return _later(self._repository.unload(name))
        self._get(parts)  # raises for a path there is not
        raise _not_allowed(exchange.method, "GET, HEAD")

    def _get(self, parts: list[str]) -> Reply:  # noqa: PLR0911 — a table
        repository = self._repository
        match parts:
            case ["", "v2"] | ["", "v2", ""]:
                return page(pages.server())
            case ["", "v2", "health", "live"]:
                return page({"live": True})
            case ["", "v2", "health", "ready"]:
                if not self.ready:
                    raise unavailable("this server is about to end")
                return page({"ready": True})
            case ["", "v2", "models"]:
                return page({"models": [entry["name"] for entry in repository.index(ready_only=True)]})
            case ["", "v2", "models", "stats"]:
                return page(pages.statistics(repository.models()))
            case ["", "v2", "models", name, *rest]:
                return self._about(name, rest)
            case ["", "metrics"]:
                return self._metrics.reply()
            case ["", "openapi.json"]:
                return self._openapi
        raise RequestError(404, f"unknown path {'/'.join(parts)!r}")

    def _about(self, name: str, rest: list[str]) -> Reply:
        version = ""
        if len(rest) >= 2 and rest[0] == "versions":
            version, rest = rest[1], rest[2:]
        model = self._repository.model(name, version)
        match rest:
            case []:
                return page(pages.metadata(model, self._repository.versions(name)))
            case ["ready"]:
                return page({"name": name, "ready": True})
            case ["config"]:
                return page(pages.configuration(model))
            case ["stats"]:
                return page(pages.statistics([model] if version else self._repository.versions(name)))
            case ["infer"]:
                raise _not_allowed(b"GET", "POST")
        raise RequestError(404, f"unknown path below model {name!r}: {'/'.join(rest)!r}")


def _later(change: Coroutine[Any, Any, None]) -> Pending:
    return Pending(asyncio.ensure_future(asyncio.shield(change)), lambda _: page({}))


def _settings(exchange: Exchange) -> str | None:
    """The configuration that a load request brings; files are not taken from clients."""
    parameters = _json(exchange).get("parameters") or {}
    if not isinstance(parameters, dict):
        raise RequestError(400, "'parameters' must be a JSON object")
    if any(name.startswith("file:") for name in parameters):
        raise RequestError(400, "models are loaded from the server's own folder only: 'file:' is not supported")
    settings = parameters.get("config")
    if not isinstance(settings, str | None):
        raise RequestError(400, "'config' must be a string that holds JSON")
    return settings


def _json(exchange: Exchange) -> dict[str, Any]:
    """The body as a JSON object; none is an empty one."""
    try:
        fields = orjson.loads(exchange.body) if exchange.body else {}
    except orjson.JSONDecodeError as exc:
        raise RequestError(400, f"the request is not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise RequestError(400, "the request must be a JSON object")
    return fields


def _not_allowed(method: bytes, allowed: str) -> RequestError:
    return RequestError(405, f"method {method.decode()} is not allowed here; allowed: {allowed}", {"allow": allowed})
