"""What was seen of one cell. Raw: what it means is for `outcome` to say, so that a better word needs no new look."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from models.pair import Quality
from pipelines.check import CaseChecked
from pipelines.parity import Parity
from pipelines.worker_process import Reason

Stage = Literal["host", "source", "export", "check"]


@dataclass(frozen=True)
class Failure:
    """Where a cell ended before its time: its source gives no answer, its export failed, or it does not load.

    `host` is a fault of this machine, or of our own code around the cell.
    """

    stage: Stage
    reason: Reason
    message: str
    timeout_s: float
    """The time it would have had."""


@dataclass(frozen=True)
class Export:
    """What an export cost, said and wrote."""

    seconds: float
    peak_memory_bytes: int
    bytes: int
    """All files, the manifest left out."""
    operators: int | None
    quantized: int | None
    """Tensors or operators of 8 bits; None where the format cannot tell."""
    deprecations: tuple[str, ...]
    differing: tuple[str, ...] | None
    """The files that a second export writes with another hash; None where there was no second one."""
    fixed: dict[str, int]
    """Sizes that the artifact fixes of axes that the model has dynamic, by axis."""


@dataclass(frozen=True)
class Observation:
    """One cell, observed once."""

    cell: str
    runtime: str
    observed_at: str
    """UTC, to the second."""
    wall_s: float
    export: Export | None = None
    source: Parity | None = None
    """The twin against the torch source, where the cell exports the twin and there is a torch source."""
    load_s: float | None = None
    cases: tuple[CaseChecked, ...] = ()
    """The answers of the artifact, in a process with its runtime only; `sizes` by the model's axes."""
    quality: tuple[Quality, ...] = ()
    quality_error: str | None = None
    failure: Failure | None = None
    log: str = ""
    """The end of what the failing process wrote."""
    whereabouts: str | None = None
    """The line of the model's own source that a failure's traceback names last, as `file.py:12`."""

    @property
    def settled(self) -> bool:
        """Whether another look would show the same: not where the machine ran out of something, or the source fails."""
        failure = self.failure
        if failure is None:
            return True
        return failure.reason not in {"out_of_memory", "disk_full"} and failure.stage in {"export", "check"}


_ADAPTER = TypeAdapter(Observation)


def to_json(observation: Observation) -> str:
    """With NaN and Infinity as Python writes them: an artifact that answers them is not a broken record."""
    return json.dumps(dataclasses.asdict(observation), indent=1)


def from_json(text: bytes) -> Observation:
    """Raises ValueError where the text is not one."""
    return _ADAPTER.validate_python(json.loads(text))
