"""One request at a model: what goes in, and what comes out, to be awaited or called back.

Calls back at once where its outputs are set, not in the next turn of the loop as a future of asyncio's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator

from serving.reference.runtimes import Arrays

Kind = tuple[tuple[int, ...], ...]
"""What two requests must share to be computed together: the shapes of their inputs without the batch axis."""

Callback = Callable[["Job"], None]


class Job:
    """Outputs by name, or an exception, to come. Set and awaited on the event loop only."""

    __slots__ = ("_abandoned", "_callbacks", "_error", "_outputs", "arrived_ns", "inputs", "kind", "rows")

    def __init__(
        self,
        inputs: Arrays,
        rows: int = 1,
        kind: Kind | None = None,
        arrived_ns: int = 0,
        abandoned: Callable[[], None] = lambda: None,
    ) -> None:
        """`rows` of a batch are taken up; requests of the same `kind` may be merged, None stays by itself.

        `abandoned` is called where it ends before its turn.
        """
        self._abandoned = abandoned
        self.inputs = inputs
        self.rows = rows
        self.kind = kind
        self.arrived_ns = arrived_ns
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
        return self.abandon(asyncio.CancelledError())

    def abandon(self, error: BaseException) -> bool:
        """End it with this error, and count on nobody to compute it; False where it was done already."""
        if self.done():
            return False
        self._abandoned()
        self.set_exception(error)
        return True

    def result(self) -> Arrays:
        """The outputs; raises what was set instead."""
        if self._outputs is not None:
            return self._outputs
        if self._error is None:
            raise asyncio.InvalidStateError("not answered yet")
        raise self._error

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
                context = {"message": "a callback of a request failed", "exception": exc}
                asyncio.get_running_loop().call_exception_handler(context)
