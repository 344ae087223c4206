"""What was made of bytes before: clients that stay send the same heads again."""

from __future__ import annotations

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MAX_ENTRIES = 256
MAX_KEY_BYTES = 4096


class Memo(dict[Key, Value], Generic[Key, Value]):
    """The last `MAX_ENTRIES` that were new; the oldest goes first, however often it was of use.

    Only for pure functions of the key, whose values nobody changes: they are shared by all requests.
    """

    def keep(self, key: Key, value: Value) -> Value:
        if len(self) >= MAX_ENTRIES:
            del self[next(iter(self))]
        self[key] = value
        return value
