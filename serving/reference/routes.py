"""The HTTP surface: which path is answered by what. `openapi.json` beside this file describes it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from serving.reference import apart, pages, tfs_rest
from serving.reference.errors import RequestError, unavailable
from serving.reference.exchange import JSON, READ, Exchange, Pending, Reply, Target, page, reply
from serving.reference.metrics import Metrics
from serving.reference.model import Model
from serving.reference.repository import Repository
from serving.reference.request import Request, decode, header_length

OPENAPI = Path(__file__).with_name("openapi.json")


class Routes:
    """Calls what a request is for. Replies that a runtime or a loader takes part in are pending."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._metrics = Metrics(repository.models)
        self._openapi = reply(200, JSON, [OPENAPI.read_bytes()])
        self.ready = True
        """Turned false when the server drains."""

    def respond(self, exchange: Exchange) -> Reply | Pending:
        """Raises `RequestError` for what is refused."""
        target = exchange.head.target
        if target is not None:
            return self._infer(exchange, target)
        parts = exchange.head.path.split("/")
        if "%" in exchange.head.path:
            parts = [unquote(part) for part in parts]  # not before: a name may hold a slash
        match parts:
            case ["", "v2", "models", name, "infer"]:
                return self._infer(exchange, _target(exchange, name))
            case ["", "v2", "models", name, "versions", version, "infer"] if version:
                return self._infer(exchange, _target(exchange, name, version))
            case ["", "v2", "repository", *rest]:
                return self._change(exchange, rest)
            case ["", "v1", "models", *rest]:
                return tfs_rest.respond(exchange, self._repository, rest)
        found = self._get(parts)
        exchange.head.only(*READ)
        return found

    def _infer(self, exchange: Exchange, target: Target) -> Pending:
        model, body, json_bytes = self._repository.model(target.model, target.version), exchange.body, target.json_bytes
        if (len(body) if model.texts or json_bytes is None else json_bytes) > apart.LONG_BYTES:
            return apart.pending(partial(decode, body, json_bytes, model.texts), partial(self._infer_read, target))
        return _submitted(model, decode(body, json_bytes, model.texts))

    def _infer_read(self, target: Target, request: Request) -> Pending:
        """By the model that is served now: another may have taken its place while the request was read."""
        return _submitted(self._repository.model(target.model, target.version), request)

    def _change(self, exchange: Exchange, parts: list[str]) -> Reply | Pending:
        match parts:
            case ["index"]:
                exchange.head.only(b"POST")
                ready_only = _json(exchange).get("ready", False)
                if not isinstance(ready_only, bool):
                    raise RequestError(400, "'ready' must be true or false")
                return page(self._repository.index(ready_only))
            case ["models", name, "load"]:
                exchange.head.only(b"POST")
                return _later(self._repository.load(name, _parameters(exchange)))
            case ["models", name, "unload"]:
                exchange.head.only(b"POST")
                return _later(self._repository.unload(name, _parameters(exchange)))
        raise _unknown(exchange.head.path)

    def _get(self, parts: list[str]) -> Reply:  # noqa: PLR0911 — a table
        repository = self._repository
        match parts:
            case ["", ""]:
                return page({"status": "alive"})  # to KServe's v1 client, which asks nothing else of a server
            case ["", "v2"] | ["", "v2", ""]:
                return page(pages.server())
            case ["", "v2", "health", "live"]:
                return page({"live": True})
            case ["", "v2", "health", "ready"]:
                if not self.ready:
                    raise unavailable("this server is about to end")
                return page({"ready": True})
            case ["", "v2", "models"]:
                return page({"models": sorted({model.name for model in repository.models()})})
            case ["", "v2", "models", "stats"]:
                return page(pages.statistics(repository.models()))
            case ["", "v2", "models", name, *rest]:
                return self._about(name, rest)
            case ["", "metrics"]:
                return self._metrics.reply()
            case ["", "openapi.json"]:
                return self._openapi
        raise _unknown("/".join(parts))

    def _about(self, name: str, rest: list[str]) -> Reply:
        version = ""
        if len(rest) >= 2 and rest[0] == "versions" and rest[1]:
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
        raise _unknown("/".join(rest), f" below model {name!r}")


def _submitted(model: Model, request: Request) -> Pending:
    asked = request.asked
    job = model.submit(request.inputs, asked.outputs, asked.timeout_s, asked if request.shared else None)
    return Pending(job, partial(model.encoder.encode, request))


def _target(exchange: Exchange, name: str, version: str = "") -> Target:
    exchange.head.only(b"POST")
    json_bytes = header_length(exchange.head.headers.get(b"inference-header-content-length"))
    exchange.head.target = Target(name, version, json_bytes)
    return exchange.head.target


def _later(change: Coroutine[Any, Any, None]) -> Pending:
    return Pending(asyncio.ensure_future(asyncio.shield(change)), lambda _: page({}))


def _parameters(exchange: Exchange) -> dict[str, Any]:
    parameters = _json(exchange).get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError(400, "'parameters' must be a JSON object")
    return parameters


def _json(exchange: Exchange) -> dict[str, Any]:
    """The body as a JSON object; none is an empty one."""
    try:
        fields = orjson.loads(exchange.body) if exchange.body else {}
    except orjson.JSONDecodeError as exc:
        raise RequestError(400, f"the request is not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise RequestError(400, "the request must be a JSON object")
    return fields


def _unknown(path: str, where: str = "") -> RequestError:
    return RequestError(404, f"unknown path {path!r}{where}")
