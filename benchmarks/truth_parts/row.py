"""What a part answers with: one row a bar."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One thing that must be so, and what was seen."""

    what: str
    bar: str
    seen: str
    holds: bool
    """False too where it could not be measured: `seen` then says why."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What `seen` was written from, for other programs."""
