"""Structured logs: one JSON object a line on stderr."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import orjson


def write(level: str, event: str, **fields: object) -> None:
    """Log one event; `fields` are what a reader will want to filter by. Values JSON does not know become text."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event, **fields}
    sys.stderr.write(orjson.dumps(line, default=str).decode() + "\n")
    sys.stderr.flush()
