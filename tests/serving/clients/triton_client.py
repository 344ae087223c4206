"""Triton's four clients made alike: awaited, whichever it is, with one name for each refusal."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.serving.clients.driver import Array, Case, raising, settled

FLAVOUR = sys.argv[1]
GRPC = FLAVOUR.startswith("grpc")
ASYNC = FLAVOUR.endswith("aio")
MODULE = importlib.import_module(f"tritonclient.{FLAVOUR}")

# What a refusal is called over HTTP and over gRPC.
INVALID = "INVALID_ARGUMENT" if GRPC else "400"
NOT_FOUND = "NOT_FOUND" if GRPC else "404"
NO_EXTENSION = "UNIMPLEMENTED" if GRPC else "404"
NOT_LOADED = "UNAVAILABLE" if GRPC else "503"
TOO_LARGE = "RESOURCE_EXHAUSTED" if GRPC else "413"
TOO_LATE = "DEADLINE_EXCEEDED" if GRPC else "504"


class Client:
    """One of the clients, awaited like an asynchronous one whichever it is."""

    def __init__(self, client: Any, model: str) -> None:
        self.raw = client
        self.model = model

    async def __call__(self, method: str, *arguments: Any, **named: Any) -> Any:
        return await settled(getattr(self.raw, method)(*arguments, **named))

    async def document(self, method: str, *arguments: Any, **named: Any) -> Any:
        """An answer as JSON. That of gRPC has 64-bit integers as strings, and zeros not at all."""
        return await self(method, *arguments, **named, **({"as_json": True} if GRPC else {}))

    async def infer(self, x: Array, **named: Any) -> Any:
        return await self("infer", self.model, [given("x", x)], **named)

    async def index(self) -> Any:
        found = await self.document("get_model_repository_index")
        return found["models"] if GRPC else found


@asynccontextmanager
async def connected(case: Case) -> AsyncIterator[Client]:
    client = MODULE.InferenceServerClient(case.grpc if GRPC else case.http)
    try:
        yield Client(client, case.model)
    finally:
        await settled(client.close())


def given(name: str, array: Array, binary: bool = True) -> Any:
    """An input; gRPC's are always binary."""
    tensor = MODULE.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array, **({} if GRPC else {"binary_data": binary}))
    return tensor


def wanted(name: str, binary: bool = True) -> Any:
    """An output that is asked for by name."""
    return MODULE.InferRequestedOutput(name, **({} if GRPC else {"binary_data": binary}))


def response(result: Any) -> Any:
    return result.get_response(as_json=True) if GRPC else result.get_response()


def refusal(status: str, *words: str) -> Any:
    return raising(InferenceServerException, status, *words)
