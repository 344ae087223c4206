"""TensorFlow Serving's REST API."""

from __future__ import annotations

from serving.reference.errors import RequestError
from serving.reference.exchange import Exchange, Pending, Reply
from serving.reference.repository import Repository


def respond(exchange: Exchange, repository: Repository, parts: list[str]) -> Reply | Pending:
    raise RequestError(404, f"unknown path {exchange.path!r}")
