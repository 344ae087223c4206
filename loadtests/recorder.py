"""What each request of a block saw, in arrays made beforehand: recording one costs well under a microsecond."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtests.arrivals import Indices, Instants
from loadtests.block import Block, ErrorKind
from loadtests.errors import GeneratorError
from loadtests.samples import Samples


@dataclass(frozen=True)
class Kept:
    """A response as it came, and the row of the request it answers."""

    row: int
    status: int
    headers: dict[str, str]
    body: bytes


class Recorder:
    """Rows of one block, one per request in the order they are intended; times are those of `perf_counter`."""

    def __init__(self, payload: Indices, slots: Indices) -> None:
        count = len(payload)
        self.payload = payload
        self.slots = slots
        self.rows = 0
        """How many requests there are so far."""
        # 0 is never: unlike NaN, zeros take no memory until they are written to.
        self.intended = np.zeros(count)
        self.sent = np.zeros(count)
        self.end = np.zeros(count)
        self.ok = np.zeros(count, dtype=np.bool_)
        self.status = np.zeros(count, dtype=np.int16)
        self.response_bytes = np.zeros(count, dtype=np.int64)
        self.kept: dict[int, Kept] = {}
        self._failed: dict[int, str] = {}
        self._examples: dict[str, str] = {}

    def begin(self, intended: float) -> int:
        """Add a request and return its row; raises `GeneratorError` where all rows are used."""
        row = self.rows
        if row == len(self.intended):
            raise GeneratorError(f"more than the {row} requests there was room for: measure shorter blocks")
        self.intended[row] = intended
        self.rows += 1
        return row

    def fail(self, row: int, kind: str, message: str) -> None:
        """Count the request as an error, of this kind."""
        self.ok[row] = False
        self._failed[row] = kind
        self._examples.setdefault(kind, message)

    def failure(self, row: int) -> str | None:
        """The kind of error the request is, None where it is none."""
        return self._failed.get(row)

    def fail_unfinished(self, kind: str, message: str) -> None:
        """Count every request that has neither succeeded nor failed as an error of this kind."""
        for row in np.flatnonzero(~self.ok[: self.rows]):
            if int(row) not in self._failed:
                self.fail(int(row), kind, message)

    def error_kinds(self) -> tuple[ErrorKind, ...]:
        """Kinds of errors, most frequent first."""
        kinds = list(self._failed.values())
        found = [ErrorKind(kind, kinds.count(kind), example) for kind, example in self._examples.items()]
        return tuple(sorted(found, key=lambda each: -each.count))

    def decode_kept(
        self, decode: Callable[[int, dict[str, str], bytes], dict[str, np.ndarray]], errors: type[Exception]
    ) -> list[tuple[int, dict[str, np.ndarray]]]:
        """(payload index, outputs) of the kept responses in the order of their requests.

        A response that cannot be decoded is an error of kind `undecodable`.
        """
        decoded = []
        for kept in sorted(self.kept.values(), key=lambda each: each.row):
            try:
                decoded.append((int(self.payload[kept.row]), decode(kept.status, kept.headers, kept.body)))
            except errors as exc:
                self.fail(kept.row, "undecodable", str(exc))
        return decoded

    def samples(self, block: Block, start: float) -> Samples:
        """The rows so far, in seconds from `start`."""
        rows = slice(0, self.rows)
        return Samples(
            payload=self.payload[rows],
            intended=self.intended[rows] - start,
            sent=_since(start, self.sent[rows]),
            end=_since(start, self.end[rows]),
            ok=self.ok[rows],
            status=self.status[rows],
            response_bytes=self.response_bytes[rows],
            duration_s=block.duration_s,
            open=block.arrivals.kind != "closed",
        )


def _since(start: float, instants: Instants) -> Instants:
    return np.where(instants == 0.0, np.nan, instants - start)


def write(path: str, samples: Samples) -> None:
    """Write a block's Parquet file under its final name only when it is complete."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from loadtests.samples import COLUMNS

    metadata = {"duration_s": repr(samples.duration_s), "arrivals": "open" if samples.open else "closed"}
    table = pa.table({name: getattr(samples, name) for name in COLUMNS}, metadata=metadata)
    partial = Path(f"{path}.partial")
    try:
        pq.write_table(table, partial, write_page_checksum=True)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
