"""`deploy-compare export`: one cell told in full, or the whole map."""

from __future__ import annotations

import dataclasses
import os
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from rich.console import Console

from pipelines import artifacts, environment, formats, job, store
from pipelines.errors import BadInput
from pipelines.launch import Stopped
from pipelines.matrix import document, ground, observe, pages, pool, tell
from pipelines.matrix.cells import Cell, Ground, Selection, Skip, lay_out, parse
from pipelines.matrix.document import Entry, Map
from pipelines.matrix.observation import Failure, Observation
from pipelines.matrix.outcome import Verdict, judge
from pipelines.matrix.progress import Display
from pipelines.matrix.records import Records
from pipelines.matrix.workshop import Workshop
from serving import catalog
from serving.catalog import Server

LONGEST_S = 86_400
RECORDS = artifacts.CACHE.parent / "matrix"


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the map is made."""

    jobs: int
    timeout_s: float
    refresh: bool
    """Whether to look at every cell again, whatever is known."""
    cache: Path = artifacts.CACHE
    records: Path = RECORDS


def whole(asked: Selection, settings: Settings, out: Path, console: Console) -> Map:
    """Observe every cell that is not known yet, and write the map into `out`.

    Raises `BadInput` before anything is started, and KeyboardInterrupt with all finished cells kept.
    """
    _check(settings)
    started = time.perf_counter()
    found = ground.survey()
    cells, skips = lay_out(found, asked)
    with store.writable(out):
        out.mkdir(parents=True, exist_ok=True)
    servers = _servers(found)
    records = Records(settings.records)
    seen = {} if settings.refresh else _known(cells, servers, records, settings.timeout_s)
    ahead = [cell for cell in cells if cell not in seen]
    console.print(f"{len(cells)} cells, {len(seen)} known, {len(skips)} skipped", highlight=False)
    if ahead:
        seen |= _observe(ahead, found, servers, records, settings, console)
    wall_s = round(time.perf_counter() - started, 1)
    how = {"jobs": settings.jobs, "wall_s": wall_s, "observed_now": len(ahead), "known": len(cells) - len(ahead)}
    made = _assemble(found, seen, skips, settings, how)
    with store.writable(out):
        pages.write(made, out)
    return made


def _check(settings: Settings) -> None:
    """Raises `BadInput`."""
    if settings.jobs < 1:
        raise BadInput(f"--jobs: expected more than 0, found {settings.jobs}")
    if not 0 < settings.timeout_s <= LONGEST_S:  # NaN is not
        raise BadInput(f"--timeout: expected more than 0 and at most {LONGEST_S} seconds, found {settings.timeout_s:g}")


def single(text: str, settings: Settings, console: Console) -> Entry:
    """Observe one cell anew, whatever is known of it, and print everything that was seen. Raises `BadInput`."""
    _check(settings)
    cell = parse(text)
    found = ground.survey()
    cells, skips = lay_out(found, Selection((cell.model,), (cell.framework,), (cell.format,), (cell.variant,)))
    if skips:
        told, seen = document.skipped(skips[0]), None
    else:
        server = _servers(found)[cells[0].format]
        with Workshop(settings.cache, lambda line: console.print(line, markup=False, highlight=False)) as shop:
            observe.forget(cell, settings.cache)
            seen = _look(cell, server, shop, settings.timeout_s)
        Records(settings.records).keep(cell, server, seen)
        told = document.entry(cell, seen, is_pair=found.models[cell.model].is_pair)
    if seen and seen.export:
        folder = artifacts.folder(cell.model, cell.framework, cell.format, cell.variant, settings.cache)
        console.print(f"artifact in {folder}", markup=False, highlight=False, soft_wrap=True)
    for line in tell.lines(told, seen):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return told


def _known(
    cells: Sequence[Cell], servers: Mapping[str, Server], records: Records, timeout_s: float
) -> dict[Cell, Observation]:
    found = ((cell, records.find(cell, servers[cell.format], timeout_s)) for cell in cells)
    return {cell: seen for cell, seen in found if seen}


def _observe(
    cells: Sequence[Cell],
    found: Ground,
    servers: Mapping[str, Server],
    records: Records,
    settings: Settings,
    console: Console,
) -> dict[Cell, Observation]:
    pairs = [model.name for model in found.models.values() if model.is_pair]
    seconds = settings.records / "seconds.json"
    took_s = pool.read_seconds(seconds)
    now_s: dict[str, float] = {}

    def verdict(cell: Cell, seen: Observation) -> Verdict:
        return judge(seen, cell.variant, is_pair=cell.model in pairs)

    with (
        Display(console, cells, took_s, settings.jobs, verdict) as display,
        Workshop(settings.cache, display.say) as shop,
    ):

        def look(cell: Cell) -> Observation:
            server = servers[cell.format]
            if settings.refresh:
                observe.forget(cell, settings.cache)
            seen = _look(cell, server, shop, settings.timeout_s)
            records.keep(cell, server, seen)
            now_s[cell.id] = seen.wall_s
            return seen

        try:
            order = pool.heaviest_first(cells, took_s, pairs)
            return pool.work(order, look, shop.close, settings.jobs, display)
        finally:
            pool.write_seconds(seconds, took_s | now_s)
            for line in shop.without_forks():
                display.say(f"not forked, a process for each job: {line}")


def _look(cell: Cell, server: Server, shop: Workshop, timeout_s: float) -> Observation:
    """One look, and a fault around it is a cell that was not observed: it never ends the others."""
    started = time.perf_counter()
    try:
        return observe.observe(cell, server, shop, timeout_s)
    except Stopped:
        raise
    except Exception as exc:
        failure = Failure("host", "converter_error", job.first_line(exc), timeout_s)
        wall_s = round(time.perf_counter() - started, 2)
        log = "".join(traceback.format_exception(exc)) + getattr(exc, "detail", "")
        return Observation(cell.id, server.runtime, _now(), wall_s, failure=failure, log=log)


def _servers(found: Ground) -> dict[str, Server]:
    return {name: catalog.load(way.server) for name, way in found.formats.items() if way.server}


def _assemble(
    found: Ground,
    seen: Mapping[Cell, Observation],
    skips: Sequence[Skip],
    settings: Settings,
    how: Mapping[str, float],
) -> Map:
    pairs = [model.name for model in found.models.values() if model.is_pair]
    entries = [document.entry(cell, one, is_pair=cell.model in pairs) for cell, one in seen.items()]
    entries = sorted([*entries, *map(document.skipped, skips)], key=lambda entry: entry.id)
    packages = {package for name in found.formats for package in formats.load(name).PACKAGES}
    machine = environment.describe()
    del machine["packages"]
    return Map(
        made_at=_now(),
        machine=machine,
        versions=_versions(packages),
        settings={"timeout_s": settings.timeout_s, "cores": os.cpu_count(), **how},
        rows=document.rows(found, entries),
        totals=document.totals(entries, pairs),
        entries=tuple(entries),
        not_offered=document.not_offered(found, entries),
    )


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those that are installed."""
    found = {}
    for package in sorted(packages):
        with suppress(PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
