"""Runs in the clients' environment: reads cases as lines of JSON, answers each with what became of every step.

    echo '{"what": "tiny", "http": "127.0.0.1:8000", "grpc": "127.0.0.1:8001", "model": "m", "platform": "p"}' |
        .cache/environments/clients-*/bin/python -m tests.serving.clients.triton http

A step that finds the server wrong is answered with its traceback, so that one run shows all of them.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

OK = "ok"


@dataclass(frozen=True)
class Case:
    """A server to drive, and what it serves."""

    what: str
    """The model: `tiny` is y = 2x + 1; `echo` answers `in_DTYPE` as `out_DTYPE`, of shape [n], for all its dtypes;
    `slow` is as tiny, but ten rows take it more than a tenth of a second, and its server takes no more than 100 kB."""
    http: str
    grpc: str
    model: str
    platform: str
    dtypes: tuple[str, ...] = ()
    """Those that `echo` knows."""

    def x(self, rows: int, start: int = 0) -> Array:
        """An input of the tiny model: other numbers for other starts, but for the null runtime only what it answers."""
        if self.platform.startswith("null"):
            return np.tile(np.arange(4, dtype=np.float32), (rows, 1))
        return np.arange(start, start + rows * 4, dtype=np.float32).reshape(rows, 4)


Step = Callable[[Case], Awaitable[None]]


def main(steps: dict[str, list[Step]]) -> None:
    """Drive the servers named on stdin with the steps for what they serve."""
    for line in sys.stdin:
        case = Case(**json.loads(line))
        print(json.dumps(asyncio.run(_report(steps[case.what], case))), flush=True)


async def _report(steps: list[Step], case: Case) -> dict[str, str]:
    report = {}
    for step in steps:
        try:
            await step(case)
            report[step.__name__] = OK
        except Exception:
            report[step.__name__] = traceback.format_exc()
    return report


async def settled(value: Any) -> Any:
    """The value itself, or what it stands for where the client is asynchronous."""
    return await value if inspect.isawaitable(value) else value


def same(found: Array, expected: Array) -> None:
    """The very values, the datatype and the shape. What came as text is BYTES to a server, but not to all clients."""
    assert found.dtype == expected.dtype, found.dtype
    assert found.shape == expected.shape, found.shape
    values = [value.encode() if isinstance(value, str) else value for value in found.ravel().tolist()]
    assert values == expected.ravel().tolist()


@contextmanager
def raising(error: type[Exception], *words: str) -> Iterator[None]:
    """The error that the client raises holds each of the words."""
    try:
        yield
    except error as exc:
        said = str(exc)
    else:
        raise AssertionError(f"no {error.__name__} with {words}")
    for word in words:
        assert word in said, f"{word!r} is not in {said}"
