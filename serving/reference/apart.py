"""Long text is read on a thread of its own: the event loop parses what takes microseconds, and serves the others."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.reference.exchange import Pending, Reply

LONG_BYTES = 64 * 1024
"""Text is long above: JSON, BYTES, values of gRPC's own types. Numbers in binary are views, however many."""

Read = TypeVar("Read")

_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")  # one core is all that the interpreter uses


async def read(what: Callable[[], Read]) -> Read:
    """What a function reads out of long text."""
    return await asyncio.get_running_loop().run_in_executor(_reader, _uncollected, what)


def pending(what: Callable[[], Read], answer: Callable[[Read], Pending]) -> Pending:
    """The answer to what a function reads out of long text."""

    async def later() -> Reply:
        found = answer(await read(what))
        return found.encode(await found.answer)

    return Pending(asyncio.ensure_future(later()), lambda reply: reply)


def _uncollected(what: Callable[[], Read]) -> Read:
    """Without a collector that looks through millions of new lists, none in a cycle, while the interpreter is held."""
    gc.disable()
    try:
        return what()
    finally:
        gc.enable()
