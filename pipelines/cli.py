"""`deploy-compare`: the command line. Exit status 0 ok, 1 a cell failed, 2 bad input, 130 interrupted."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipelines.errors import BadInput

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Measure what PyTorch's and TensorFlow's ways to production really cost.",
)

ExperimentArgument = Annotated[str, typer.Argument(help="Name of an experiment, or the path of a YAML file.")]
EngineOption = Annotated[str, typer.Option(help="auto, docker or process; auto takes docker where its daemon answers.")]
OutOption = Annotated[Path, typer.Option(help="Folder of the runs.")]


def main() -> None:
    app()


@app.command()
def run(
    experiment: ExperimentArgument = "default",
    engine: EngineOption = "auto",
    out: OutOption = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Continue the latest run where it stopped.")] = False,
) -> None:
    """Export, deploy, load and compare: leaves results and a report in runs/<id>/, and runs/latest points there."""
    from pipelines import experiment as experiments
    from pipelines import report as reports
    from pipelines import run as runs

    console = Console()
    with _reporting(console):
        asked = experiments.load(experiment)
        with _stoppable(console):
            begin = runs.resume if resume else runs.start
            folder, results = begin(asked, engine, out, console)
        cells = [cell for cell in results.cells if cell.status != "skipped"]
        ok = sum(cell.status == "ok" for cell in cells)
        page = folder.path / reports.HTML
        console.print(f"{ok} of {len(cells)} cells ok · report: {page}", highlight=False, soft_wrap=True)
        if ok < len(cells):
            raise typer.Exit(FAILED)


@app.command()
def plan(experiment: ExperimentArgument = "default") -> None:
    """List an experiment's cells, those that cannot be with the reason, and the time it will take."""
    from pipelines import experiment as experiments
    from pipelines.figures import duration
    from pipelines.known import discover
    from pipelines.plan import plan as make_plan
    from pipelines.progress import TimeLeft

    console = Console()
    with _reporting(console):
        asked = experiments.load(experiment)
        planned = make_plan(asked, discover())
        for cell in planned.cells:
            console.print(cell.id, highlight=False, soft_wrap=True)
        for skip in planned.skipped:
            console.print(f"[dim]skipped {skip.cell.id}: {skip.reason}[/]", highlight=False, soft_wrap=True)
        estimate_s = TimeLeft.of(asked, planned, []).seconds
        console.print(
            f"{len(planned.cells)} cells, {len(planned.skipped)} skipped · {duration(planned.measuring_s)} measuring, "
            f"about {duration(estimate_s)} in all once images and artifacts are built",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
def report(run: Annotated[str, typer.Argument(help="Folder of a run, or its id below runs/.")] = "latest") -> None:
    """Write a run's report.html and report.md again, from its results.json."""
    from pipelines import report as reports
    from pipelines import results, store

    console = Console()
    with _reporting(console):
        folder = store.find(run)
        try:
            text = folder.results.read_text()
        except (OSError, UnicodeDecodeError) as exc:
            raise BadInput(f"{folder.results}: cannot be read: {exc}") from exc
        with store.writable(folder.path):
            reports.write(results.from_json(text, str(folder.results)), folder.path)
        console.print(str(folder.path / reports.HTML), highlight=False, soft_wrap=True)


@app.command(name="list")
def list_(kind: Annotated[str, typer.Argument(help="models, formats, servers or experiments")]) -> None:
    """List what there is to compare."""
    from pipelines.listing import KINDS, rows

    console = Console()
    with _reporting(console):
        if kind not in KINDS:
            raise BadInput(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
        header, found = rows(kind)
        table = Table(*header, box=None, pad_edge=False)
        for row in found:
            table.add_row(*row)
        console.print(table, highlight=False, soft_wrap=True)


@app.command()
def doctor() -> None:
    """Say what this machine can and cannot do, and the fix for each. Exit status 1 where no run is possible."""
    from pipelines.doctor import examine

    console = Console()
    with _reporting(console):
        checks = examine()
        marks = {"ok": "[green]ok[/]  ", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}
        for check in checks:
            console.print(f"{marks[check.verdict]} {check.name}: {check.found}", highlight=False, soft_wrap=True)
            if check.fix:
                console.print(f"     fix: {check.fix}", highlight=False, soft_wrap=True)
        if any(check.verdict == "fail" for check in checks):
            raise typer.Exit(FAILED)


@app.command()
def worker(
    master: Annotated[str, typer.Argument(help="HOST:PORT of the host that runs: its experiment's load.listen.")],
    cpus: Annotated[str | None, typer.Option(help="Cores to send from, as 2,3; one is used. Default: any.")] = None,
) -> None:
    """Send requests for a run on another host, whose experiment has load.remote_workers; until Ctrl-C."""
    from loadtests.join import serve
    from pipelines.environment import usable_cpus

    console = Console(highlight=False, markup=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _reporting(console):
        usable = usable_cpus()
        chosen = [int(cpu) if cpu.isdecimal() else -1 for cpu in cpus.split(",")] if cpus else usable
        if not set(chosen) <= set(usable):
            raise BadInput(f"--cpus: expected cores as {','.join(map(str, usable))}, found {cpus!r}")
        try:
            serve(master, tuple(chosen), console.print)
        except KeyboardInterrupt as exc:
            raise typer.Exit(INTERRUPTED) from exc


@contextlib.contextmanager
def _reporting(console: Console) -> Iterator[None]:
    """What the user can mend becomes one line on standard error and its exit status; all else keeps its traceback."""
    from loadtests.errors import LoadTestError
    from models.errors import ModelError
    from serving.errors import ServingError

    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        yield
    except (BadInput, ModelError, LoadTestError, ServingError) as exc:
        errors.print("error: " + " ".join(str(exc).split()))
        raise typer.Exit(BAD_INPUT) from exc
    except KeyboardInterrupt as exc:
        console.print("interrupted: what is finished is saved; the same command with --resume continues")
        raise typer.Exit(INTERRUPTED) from exc


@contextlib.contextmanager
def _stoppable(console: Console) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the run in good order; a second one does not cut its tidying short."""
    stopping = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            console.print("still tidying up: containers and processes of this run are being removed")
            return
        stopping = True
        console.print("stopping: saving what is finished, removing what was started")
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
