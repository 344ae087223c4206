"""Observations kept under a key of everything that decides them, so that what was seen once is not looked at again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.fingerprint import digest, sources
from pipelines import artifacts, check, facts, job, parity
from pipelines.artifacts import RUNTIMES
from pipelines.matrix import observation, observe
from pipelines.matrix.cells import Cell
from pipelines.matrix.observation import Observation
from serving.catalog import Server
from serving.reference import artifact


@dataclass(frozen=True)
class Records:
    """A folder with one JSON for each observation."""

    folder: Path

    def find(self, cell: Cell, server: Server, timeout_s: float) -> Observation | None:
        """What was seen of the cell as it is now; None too where it had less time than it would have today."""
        try:
            found = observation.from_json(self._path(cell, server).read_bytes())
        except (OSError, ValueError):
            return None
        failure = found.failure
        if failure and failure.reason == "timeout" and failure.timeout_s < timeout_s:
            return None
        return found

    def keep(self, cell: Cell, server: Server, seen: Observation) -> None:
        """Write it whole or not at all; what another look may show otherwise is not kept."""
        if seen.settled:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self._path(cell, server)
            with _replacing(path) as half:
                half.write_text(observation.to_json(seen))

    def _path(self, cell: Cell, server: Server) -> Path:
        made_from = artifacts.key(cell.model, cell.framework, cell.format, cell.variant)
        return self.folder / f"{digest([made_from, server.runtime, _checkers(server.requirements)], [])}.json"


@cache
def _checkers(requirements: Path) -> str:
    """What the check is made of: the runtime's environment and our code."""
    modules = (check, facts, job, parity, artifact, observe, observation)
    return digest([], [requirements, *sources(RUNTIMES), *(Path(str(module.__file__)) for module in modules)])


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    half = path.with_suffix(f".{os.getpid()}")
    try:
        yield half
        half.replace(path)
    finally:
        with suppress(OSError):
            half.unlink()
