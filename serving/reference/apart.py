"""Long text is read on a thread of its own: the event loop parses what takes microseconds, and serves the others."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.reference.exchange import Pending, Reply

LONG_BYTES = 64 * 1024
"""Of JSON, or of whatever has its length in the bytes before it. Numbers in binary are views, however many."""

Read = TypeVar("Read")

_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")  # one core is all that the interpreter uses


async def read(text_bytes: int, what: Callable[[], Read]) -> Read:
    """What a function reads out of so many bytes of text: at once, or on the thread if they are many."""
    if text_bytes <= LONG_BYTES:
        return what()
    return await asyncio.get_running_loop().run_in_executor(_reader, _uncollected, what)


def _uncollected(what: Callable[[], Read]) -> Read:
    """Without a collector that looks through millions of new lists, none in a cycle, while the interpreter is held."""
    gc.disable()
    try:
        return what()
    finally:
        gc.enable()


def pending(text_bytes: int, what: Callable[[], Read], answer: Callable[[Read], Pending]) -> Pending:
    """The answer to what is read, which comes later in any case if it is long."""
    if text_bytes <= LONG_BYTES:
        return answer(what())

    async def later() -> Reply:
        found = answer(await read(text_bytes, what))
        return found.encode(await found.answer)

    return Pending(asyncio.ensure_future(later()), lambda reply: reply)
