"""What a request will be answered with: as `asyncio.Future`, but it calls back at once, not in the next turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator

from serving.reference.runtimes import Arrays

Callback = Callable[["Answer"], None]


class Answer:
    """Outputs by name, or an exception, to come. Set and awaited on the event loop only."""

    __slots__ = ("_callbacks", "_error", "_outputs")

    def __init__(self) -> None:
        self._callbacks: tuple[Callback, ...] = ()
        self._outputs: Arrays | None = None
        self._error: BaseException | None = None

    def __await__(self) -> Generator[object, None, Arrays]:
        if not self.done():
            waiter = asyncio.get_running_loop().create_future()
            self.add_done_callback(lambda _: None if waiter.done() else waiter.set_result(None))
            try:
                yield from waiter
            except asyncio.CancelledError:
                self.cancel()
                raise
        return self.result()

    def done(self) -> bool:
        return self._outputs is not None or self._error is not None

    def cancelled(self) -> bool:
        return isinstance(self._error, asyncio.CancelledError)

    def cancel(self) -> bool:
        """Nobody waits for it any longer; False where it was done already."""
        if self.done():
            return False
        self.set_exception(asyncio.CancelledError())
        return True

    def result(self) -> Arrays:
        """The outputs; raises what was set instead."""
        if self._error is not None:
            raise self._error
        if self._outputs is None:
            raise asyncio.InvalidStateError("not answered yet")
        return self._outputs

    def add_done_callback(self, callback: Callback) -> None:
        if self.done():
            callback(self)
        else:
            self._callbacks += (callback,)

    def set_result(self, outputs: Arrays) -> None:
        self._outputs = outputs
        self._call_back()

    def set_exception(self, error: BaseException) -> None:
        self._error = error
        self._call_back()

    def _call_back(self) -> None:
        callbacks, self._callbacks = self._callbacks, ()
        for callback in callbacks:
            try:
                callback(self)
            except Exception as exc:  # the others that are answered in this turn must not suffer for it
                context = {"message": "a callback of an answer failed", "exception": exc}
                asyncio.get_running_loop().call_exception_handler(context)
