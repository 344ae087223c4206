"""Which client carries a protocol's requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from loadtests.block import Block
from loadtests.recorder import Recorder
from loadtests.request import Request
from loadtests.users.answer import Client, Sink

Transport = Literal["http", "grpc"]


def make(transport: Transport, block: Block, requests: Sequence[Request], recorder: Recorder, sink: Sink) -> Client:
    """The client of `transport`; raises OSError for a host nobody knows."""
    if transport == "grpc":
        from loadtests.users.grpc_client import GrpcClient

        return GrpcClient(block.url, requests, recorder, sink)
    from loadtests.users.http_client import HttpClient

    return HttpClient(block.url, requests, recorder, sink)


def kind(transport: Transport, status: int) -> str:
    """The kind of error that a wrong answer's status is: `status_503`, `grpc_unavailable`."""
    if status == 200:
        return "undecodable"
    if transport == "grpc":
        from loadtests.users.grpc_client import kind

        return kind(status)
    return f"status_{status}"
