"""Recorded schedules: a CSV file with the header `instant_s` or `instant_s,payload` and one line per request.

`instant_s` is in seconds from the start, ascending, at least 0; `payload` is an index into the block's payloads.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import ReplayError

HEADERS = (["instant_s"], ["instant_s", "payload"])


@dataclass(frozen=True)
class Recording:
    """What was recorded: instants in seconds, ascending, and the payload of each where the file names them."""

    file: str
    instants: NDArray[np.float64]
    payloads: NDArray[np.int32] | None

    def until(self, duration_s: float) -> Recording:
        """Its first `duration_s` seconds; raises `ReplayError` where nothing was recorded in them."""
        count = int(np.searchsorted(self.instants, duration_s))
        if not count:
            raise ReplayError(f"{self.file}: no request in the first {duration_s:g} s, the length of the block")
        payloads = None if self.payloads is None else self.payloads[:count]
        return Recording(self.file, self.instants[:count], payloads)

    def check_payloads(self, count: int) -> None:
        """Raise `ReplayError` where a payload is named that `count` payloads do not have."""
        if self.payloads is None or self.payloads.max() < count:
            return
        first = int(np.argmax(self.payloads >= count))
        raise ReplayError(
            f"{self.file}: line {first + 2}: payload {self.payloads[first]} is beyond the {count} payloads there are "
            f"(0 to {count - 1})"
        )


def read(file: str | Path) -> Recording:
    """Read a recorded schedule, whole; raises `ReplayError` naming the line that is not as it should be."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as lines:
            return _parse(str(file), csv.reader(lines, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ReplayError(f"{file}: cannot be read as a CSV of instants: {exc}") from exc


def _parse(file: str, rows: Iterator[list[str]]) -> Recording:
    header = [name.strip() for name in next(rows, [])]
    if header not in HEADERS:
        raise ReplayError(f"{file}: line 1: expected the header 'instant_s' or 'instant_s,payload', found {header}")
    instants: list[float] = []
    payloads: list[int] = []
    for number, row in enumerate(rows, start=2):
        try:
            instants.append(_instant(row, len(header), instants[-1] if instants else 0.0))
            payloads += [_payload(text) for text in row[1:]]
        except ValueError as exc:
            raise ReplayError(f"{file}: line {number}: {exc}") from exc
    if not instants:
        raise ReplayError(f"{file}: holds no requests")
    return Recording(file, np.array(instants), np.array(payloads, dtype=np.int32) if payloads else None)


def _instant(row: list[str], columns: int, last: float) -> float:
    if len(row) != columns:
        raise ValueError(f"expected {columns} values, found {len(row)}")
    try:
        instant = float(row[0])
    except ValueError:
        instant = math.nan
    if not (0 <= instant < math.inf):
        raise ValueError(f"expected an instant in seconds of at least 0, found {row[0]!r}")
    if instant < last:
        raise ValueError(f"instants ascend, but {instant:g} s follows {last:g} s")
    return instant


def _payload(text: str) -> int:
    if not text.strip().isdecimal() or int(text) > np.iinfo(np.int32).max:
        raise ValueError(f"expected the index of a payload, found {text!r}")
    return int(text)
