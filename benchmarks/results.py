"""The results on disk: one JSON file a script, from which the page is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.environment import RESULTS


def write(name: str, found: dict[str, Any]) -> Path:
    """Replace the file in one step: it is the old one or the new one, never half of it."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    building = path.with_suffix(".building")
    building.write_text(json.dumps(found, indent=1) + "\n")
    building.replace(path)
    return path


def read(name: str) -> dict[str, Any] | None:
    """None where that script has not been run."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found
