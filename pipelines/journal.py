"""What a run has finished, one event a line, on disk at once: the journal is what `--resume` continues from."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipelines import results
from pipelines.errors import BadRun


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exported(Event):
    kind: Literal["exported"] = "exported"
    cell: str
    export: results.Export


class ParityChecked(Event):
    kind: Literal["parity"] = "parity"
    cell: str
    parity: results.Parity


class QualityChecked(Event):
    kind: Literal["quality"] = "quality"
    cell: str
    quality: results.Quality


class Deployed(Event):
    kind: Literal["deployed"] = "deployed"
    cell: str
    deploy: results.Deploy


class BlockMeasured(Event):
    """One finished block. `samples` is relative to the run's folder."""

    kind: Literal["block"] = "block"
    cell: str
    workload: str
    round: int
    attempt: int
    server_copy: int = 0
    """Which of the server's copies it was of."""
    samples: str
    offered_rps: float | None
    duration_s: float
    wall_s: float
    server_cpu_s: float | None
    """None where the server is not ours to look into."""
    memory_peak_bytes: int | None
    generator_cpu_fraction: float
    error_kinds: dict[str, int]
    machine: results.Machine = results.Machine()
    spoiled: tuple[str, ...]
    """Names of the gates that say the measurement was spoiled, not the server slow."""


class RoundMeasured(Event):
    """All candidates' blocks of one round of a workload are done; `repeat`: a gate asks for all of them again."""

    kind: Literal["round"] = "round"
    model: str
    workload: str
    round: int
    attempt: int
    repeat: bool


class RoundsChosen(Event):
    """How many rounds the pilot of a workload asks for."""

    kind: Literal["rounds"] = "rounds"
    model: str
    workload: str
    rounds: int


class WarmedUp(Event):
    kind: Literal["warmed-up"] = "warmed-up"
    cell: str
    warm_up: results.WarmUp


class TrialMeasured(Event):
    """One block of a capacity search (`purpose` search) or of its saturation curve. `samples` as in `BlockMeasured`."""

    kind: Literal["trial"] = "trial"
    cell: str
    purpose: Literal["search", "curve"]
    samples: str
    duration_s: float
    trial: results.Trial
    spoiled: tuple[str, ...] = ()
    """As in `BlockMeasured`, and `processes_gone`; then the trial does not count."""


class Failed(Event):
    """The cell goes no further."""

    kind: Literal["failed"] = "failed"
    cell: str
    stage: results.Stage
    reason: str
    detail: str = ""


class Sitting(Event):
    """One stretch of work on the run, from its start or resumption to its end or interruption."""

    kind: Literal["sitting"] = "sitting"
    seconds: float


AnyEvent = Annotated[
    Exported
    | ParityChecked
    | QualityChecked
    | Deployed
    | WarmedUp
    | BlockMeasured
    | RoundMeasured
    | RoundsChosen
    | TrialMeasured
    | Failed
    | Sitting,
    Field(discriminator="kind"),
]
_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


class Journal:
    """An append-only file of events, each on the disk before `add` returns. Only one process may have it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events = read(path)

    def __enter__(self) -> Self:
        # A line cut short by a kill was never reported as finished; left there, the next would be glued to it.
        whole = "".join(event.model_dump_json() + "\n" for event in self.events)
        if self.path.exists() and self.path.read_text(errors="replace") != whole:
            replacement = self.path.with_suffix(".tmp")
            replacement.write_text(whole)
            replacement.replace(self.path)
        self._file = self.path.open("a")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, event: AnyEvent) -> None:
        self._file.write(event.model_dump_json() + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.events.append(event)


def read(path: Path) -> list[AnyEvent]:
    """The events so far, none where there is no file. The last line may be half-written, and is then left out.

    Raises `BadRun` where any other line is not an event.
    """
    try:
        # Not by `splitlines`: JSON leaves other ends of lines than this as they are, within a name of a server.
        lines = path.read_text(errors="replace").removesuffix("\n").split("\n")
    except FileNotFoundError:
        return []
    if lines == [""]:
        return []
    events = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_EVENT.validate_json(line))
        except ValidationError as exc:
            if number < len(lines):
                raise BadRun(f"{path}: line {number} is not an event of this version's journal") from exc
    return events
