"""`python -m benchmarks.truth`: our figures beside what is known to be true, on one machine in one go (an hour).

Prints a table; writes `benchmarks/results/truth.json` and `docs/truth.md`. With `--only`, the other parts' rows there
stay as they are, under the date they were measured; with `--rehearse`, windows are short and nothing is written. Exit
status: 0 all bars hold; 1 one does not, or could not be measured; 2 and 130 as of `server_overhead`.
"""

from __future__ import annotations

import datetime
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import results, truth_page
from benchmarks.environment import ClientCore, ServerCore, benchmarking, describe
from benchmarks.pinned import ROOT
from benchmarks.truth_parts import ceiling, injected, own_cost, stalling, verdicts
from benchmarks.truth_parts.row import Row
from benchmarks.truth_parts.stand import Stand
from benchmarks.truth_parts.verdicts import Trials
from loadtests.launch import Generator
from pipelines.calibrate import COPIES
from pipelines.experiment import Load

Part = Callable[[Stand], Iterator[Row]]
PARTS = {
    "a": "A server that stalls",
    "b": "Injected delays",
    "c": "A server against itself",
    "d": "A server against itself with 5 % more CPU per request",
    "e": "The generator",
    "f": "A known capacity",
}
BUDGET_S: float = Load.model_fields["budget_s"].default


def main(
    only: Annotated[str, typer.Option(help="Parts, as a,b,e.")] = ",".join(PARTS),
    trials: Annotated[int, typer.Option(min=1, help="Of c and of d.")] = 20,
    budget_s: Annotated[float, typer.Option(min=1, help="Of one trial: its measured seconds, at most.")] = BUDGET_S,
    block_s: Annotated[float, typer.Option(min=0.1, help="Of a trial: seconds of one block.")] = 0.1,
    rehearse: Annotated[bool, typer.Option(help="Short windows, nothing written.")] = False,
    server_core: ServerCore = 1,
    client_core: ClientCore = 0,
) -> None:
    """Measure what is known."""
    console = Console()
    asked = [part.strip() for part in only.split(",")]
    if unknown := sorted(set(asked) - set(PARTS)):
        console.print(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
        raise typer.Exit(2)
    parts = _parts(Trials(trials, budget_s, block_s), 0.1 if rehearse else 1.0)
    settings = {"trials": trials, "budget_s": budget_s, "block_s": block_s}
    settings |= {"server_core": server_core, "client_core": client_core}
    found: dict[str, Any] = {}
    with (
        benchmarking(console, server_core, client_core),
        console.status("") as status,
        tempfile.TemporaryDirectory(prefix="dc-") as scratch,
        Generator((client_core,), Path(scratch) / "generator.log") as generator,
    ):
        stand = Stand(generator, Path(scratch), server_core, client_core, status.update)
        for part in asked:
            found[part] = _measured(part, parts[part], stand) | {"settings": settings, "copies": COPIES}
            for row in found[part]["rows"]:
                console.print(f"{part}  {row['what']}: {row['seen']}", highlight=False, soft_wrap=True)
    if not rehearse:
        before = results.read("truth") or {}
        results.write("truth", {part: found.get(part, before.get(part)) for part in PARTS})
        truth_page.write()
    _show(console, found)
    if not all(row["holds"] for each in found.values() for row in each["rows"]):
        raise typer.Exit(1)


def _parts(trials: Trials, scale: float) -> dict[str, Part]:
    """The parts by letter; `scale` is that of their windows."""
    return {
        "a": partial(stalling.rows, seconds=30 * scale),
        "b": partial(injected.rows, seconds=25 * scale),
        "c": partial(verdicts.same, asked=trials),
        "d": partial(verdicts.slower, asked=trials),
        "e": partial(own_cost.rows, seconds=30 * scale),
        "f": partial(ceiling.rows, searches=5 if scale == 1 else 1),
    }


def _measured(part: str, measure: Part, stand: Stand) -> dict[str, Any]:
    """The part's rows, and where, when and how long."""
    environment = describe(ROOT)
    begun = time.perf_counter()
    rows = [asdict(row) for row in _rows(part, measure, stand)]
    return {
        "rows": rows,
        "seconds": time.perf_counter() - begun,
        "measured_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "environment": environment,
    }


def _rows(part: str, measure: Part, stand: Stand) -> Iterator[Row]:
    """The part's rows; what ends it is its last row, so that the other parts still run."""
    try:
        yield from measure(stand)
    except Exception as exc:  # whatever it was: half an hour of the other parts must not be lost to it
        reason = " ".join(str(exc).split()) or "no message"
        yield Row(PARTS[part], "can be measured", f"{type(exc).__name__}: {reason}", False)


def _show(console: Console, found: dict[str, Any]) -> None:
    table = Table(*truth_page.HEADINGS)
    for cells in truth_page.cells(found):
        table.add_row(*cells)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
