"""The map as one document: what `map.json` holds, and what the pages are made of. Pure but for the machine it names."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.pair import Quality
from pipelines.launch import ROOT
from pipelines.matrix.cells import Cell, Ground, Skip
from pipelines.matrix.observation import Export, Observation
from pipelines.matrix.outcome import Verdict, judge
from pipelines.parity import Parity, worst

SCHEMA = 1
LOG_LINES = 14
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Entry:
    """One cell of the map."""

    id: str
    model: str
    framework: str
    format: str
    variant: str
    outcome: str
    cause: str | None
    detail: str | None
    operator: str | None
    where: str | None
    reproduce: str
    runtime: str | None = None
    observed_at: str | None = None
    wall_s: float | None = None
    export: Export | None = None
    load_s: float | None = None
    source: Parity | None = None
    artifact: Parity | None = None
    """The worst of all cases."""
    sizes: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    """By axis the sizes it was tried at."""
    quality: tuple[Quality, ...] = ()
    log: str = ""

    @property
    def why(self) -> str:
        """The cause, then what was said of this cell where that is something else."""
        return ": ".join(dict.fromkeys(text for text in (self.cause, self.detail) if text))


@dataclass(frozen=True)
class Row:
    """A model pair or a hard case."""

    model: str
    is_pair: bool
    summary: str


@dataclass(frozen=True)
class Total:
    """How many cells of one way out are ok; `all` leaves out what was skipped or not observed."""

    framework: str
    format: str
    pairs_fp32: tuple[int, int]
    pairs: tuple[int, int]
    cases_fp32: tuple[int, int]
    cases: tuple[int, int]
    skipped: int
    export_s: float | None
    """Median over its exports."""
    peak_memory_bytes: int | None
    """Highest of them."""
    same_twice: tuple[int, int]
    """Of the exports made a second time those that wrote the same hashes, and all of them."""


@dataclass(frozen=True)
class NotOffered:
    """A precision that others write and this way out does not, so that it has no cells."""

    framework: str
    format: str
    variant: str
    reason: str


@dataclass(frozen=True)
class Map:
    """All cells, with an outcome each."""

    made_at: str
    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    """Of the run that wrote it: `timeout_s` of each step of a cell, `cores`, `jobs` at once, `wall_s` until every cell
    had an outcome, and how many cells were `observed_now` and how many `known` before."""
    rows: tuple[Row, ...]
    totals: tuple[Total, ...]
    entries: tuple[Entry, ...]
    not_offered: tuple[NotOffered, ...]
    schema: int = SCHEMA

    @property
    def counts(self) -> Counter[str]:
        return Counter(entry.outcome for entry in self.entries)


def entry(cell: Cell, seen: Observation, *, is_pair: bool) -> Entry:
    """What was observed of a cell, and what it means."""
    verdict = judge(seen, cell.variant, is_pair=is_pair)
    parities = [case.parity for case in seen.cases if case.parity]
    return Entry(
        **_names(cell, verdict),
        runtime=seen.runtime,
        observed_at=seen.observed_at,
        wall_s=seen.wall_s,
        export=seen.export,
        load_s=seen.load_s,
        source=seen.source,
        artifact=worst(parities) if parities else None,
        sizes={
            axis: sorted({case.sizes[axis] for case in seen.cases})
            for axis in (seen.cases[0].sizes if seen.cases else ())
        },
        quality=seen.quality,
        log="" if verdict.outcome == "ok" else _plain("\n".join(seen.log.splitlines()[-LOG_LINES:])),
    )


def skipped(skip: Skip) -> Entry:
    return Entry(**_names(skip.cell, Verdict("skipped", skip.reason)))


def reproduce(cell: Cell) -> str:
    """The command that runs this one cell by itself."""
    return f"deploy-compare export {cell.id}"


def rows(ground: Ground, entries: Sequence[Entry]) -> tuple[Row, ...]:
    """The models that have cells, pairs first."""
    named = {entry.model for entry in entries}
    found = [Row(m.name, m.is_pair, m.summary) for m in ground.models.values() if m.name in named]
    return tuple(sorted(found, key=lambda row: (not row.is_pair, row.model)))


def totals(entries: Sequence[Entry], pairs: Sequence[str]) -> tuple[Total, ...]:
    """One for each format and framework, in the order of the map's columns."""
    return tuple(
        _total(framework, format, [e for e in entries if (e.framework, e.format) == (framework, format)], pairs)
        for framework, format in columns(entries)
    )


def not_offered(ground: Ground, entries: Sequence[Entry]) -> tuple[NotOffered, ...]:
    """Of the formats that have cells, each precision that some format writes and they do not."""
    return tuple(
        NotOffered(framework, format, variant, ground.formats[format].not_offered.get(variant, "no reason given"))
        for framework, format in columns(entries)
        for variant in ground.variants
        if variant not in ground.formats[format].variants
    )


def columns(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Framework and format: torch's first, each with its formats by name."""
    found = {(entry.framework, entry.format) for entry in entries}
    return sorted(found, key=lambda column: (column[0] != "torch", column))


def _total(framework: str, format: str, entries: Sequence[Entry], pairs: Sequence[str]) -> Total:
    told = [entry for entry in entries if entry.outcome not in {"skipped", "not_observed"}]
    of_pairs = [entry for entry in told if entry.model in pairs]
    of_cases = [entry for entry in told if entry.model not in pairs]
    exports = [entry.export for entry in told if entry.export]
    seconds = sorted(export.seconds for export in exports)
    twice = [export.differing for export in exports if export.differing is not None]
    return Total(
        framework,
        format,
        pairs_fp32=_ok(entry for entry in of_pairs if entry.variant == "fp32"),
        pairs=_ok(of_pairs),
        cases_fp32=_ok(entry for entry in of_cases if entry.variant == "fp32"),
        cases=_ok(of_cases),
        skipped=len(entries) - len(told),
        export_s=seconds[len(seconds) // 2] if seconds else None,
        peak_memory_bytes=max((export.peak_memory_bytes for export in exports), default=None),
        same_twice=(twice.count(()), len(twice)),
    )


def _ok(entries: Any) -> tuple[int, int]:
    outcomes = [entry.outcome for entry in entries]
    return outcomes.count("ok"), len(outcomes)


def _names(cell: Cell, verdict: Verdict) -> dict[str, Any]:
    said = {name: _plain(text) if text else text for name, text in dataclasses.asdict(verdict).items()}
    return {"id": cell.id, **dataclasses.asdict(cell), **said, "reproduce": reproduce(cell)}


def _plain(text: str) -> str:
    """Without a terminal's colours, and without where this clone is: a map is read elsewhere."""
    return _COLOUR.sub("", text).replace(f"{ROOT}/", "")


def to_json(made: Map) -> str:
    """Absent figures are null, and so are NaN and Infinity, which JSON has not."""
    return json.dumps(_finite(dataclasses.asdict(made)), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
