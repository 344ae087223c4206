"""`deploy-compare`: the command line. Exit status 0 ok, 1 a cell failed, 2 bad input, 130 interrupted."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipelines.endings import FAILED, INTERRUPTED, reporting, stoppable
from pipelines.errors import BadInput

WIDEST = 1000
"""Columns."""

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
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the experiment's latest run where it stopped.")
    ] = False,
) -> None:
    """Export, deploy, load and compare: leaves results and a report in runs/<id>/, and runs/latest points there."""
    from pipelines import experiments
    from pipelines import report as reports
    from pipelines import run as runs

    console = Console()
    with reporting(console):
        asked = experiments.load(experiment)
        with stoppable(console):
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
    """List an experiment's cells, those that cannot be with the reason, and the time it will take.

    Exit status 2 where `run` would refuse it.
    """
    from pipelines import experiments
    from pipelines.figures import duration
    from pipelines.known import discover
    from pipelines.plan import plan as make_plan
    from pipelines.progress import TimeLeft
    from pipelines.run import check

    console = Console()
    with reporting(console):
        asked = experiments.load(experiment)
        planned = make_plan(asked, discover())
        for cell in planned.cells:
            console.print(cell.id, highlight=False, soft_wrap=True)
        for skip in planned.skipped:
            console.print(f"[dim]skipped {skip.cell.id}: {skip.reason}[/]", highlight=False, soft_wrap=True)
        estimate_s = TimeLeft.of(asked, planned, []).seconds
        console.print(
            f"{len(planned.cells)} cells, {len(planned.skipped)} skipped · at most {duration(planned.measuring_s)} "
            f"measuring, about {duration(estimate_s)} in all once images and artifacts are built",
            highlight=False,
            soft_wrap=True,
        )
        check(asked, planned)


@app.command()
def report(run: Annotated[str, typer.Argument(help="Folder of a run, or its id below runs/.")] = "latest") -> None:
    """Write a run's report.html and report.md again, from its results.json."""
    from pipelines import report as reports
    from pipelines import results, store

    console = Console()
    with reporting(console):
        folder = store.find(run)
        try:
            text = folder.results.read_text()
        except (OSError, UnicodeDecodeError) as exc:
            raise BadInput(f"{folder.results}: cannot be read: {exc}") from exc
        with store.writable(folder.path):
            reports.write(results.from_json(text, str(folder.results)), folder.path)
        console.print(str(folder.path / reports.HTML), highlight=False, soft_wrap=True)


@app.command(name="list")
def list_(
    kind: Annotated[str, typer.Argument(help="models, hard-cases, formats, servers, protocols or experiments")],
) -> None:
    """List what there is to compare."""
    from pipelines.listing import KINDS, rows

    console = Console()
    with reporting(console):
        if kind not in KINDS:
            raise BadInput(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
        header, found = rows(kind)
        table = Table(*header, box=None, pad_edge=False)
        for row in found:
            table.add_row(*row)
        if not console.is_terminal:
            console.width = WIDEST  # what is piped somewhere is cut nowhere
        console.print(table, highlight=False, soft_wrap=True)


@app.command()
def doctor(
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure what this machine can measure; later reports carry it.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="About how long --measure takes; an idle machine is needed.")] = 180.0,
) -> None:
    """Say what this machine can and cannot do, and the fix for each. Exit status 1 where no run is possible.

    With --measure: the generator's ceiling and lag, a server against itself and against 5 % more CPU, and what
    difference can be told in what time. Exit status 1 where those come out wrong, or were spoiled.
    """
    from pipelines.doctor import examine

    console = Console()
    with reporting(console):
        if measure:
            _measure_machine(console, seconds)
            return
        checks = examine()
        marks = {"ok": "[green]ok[/]  ", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}
        for check in checks:
            console.print(f"{marks[check.verdict]} {check.name}: {check.found}", highlight=False, soft_wrap=True)
            if check.fix:
                console.print(f"     fix: {check.fix}", highlight=False, soft_wrap=True)
        if any(check.verdict == "fail" for check in checks):
            raise typer.Exit(FAILED)


@app.command()
def load(  # noqa: PLR0913, PLR0917 - one for each flag
    urls: Annotated[list[str], typer.Argument(help="http://HOST:PORT, or grpc://HOST:PORT; several are compared.")],
    protocol: Annotated[
        str, typer.Option(help="oip-http, oip-http-json, oip-grpc, tfs-rest or tfs-grpc.")
    ] = "oip-http",
    model: Annotated[
        list[str] | None,
        typer.Option(help="Its name on the server: once, or once for each URL. Default: the only one."),
    ] = None,
    payloads: Annotated[
        Path | None,
        typer.Option(help="Requests (.npz, entries INDEX/TENSOR). Default: random values, by the metadata."),
    ] = None,
    dim: Annotated[
        list[str] | None, typer.Option(help="Size of a dynamic axis of made-up inputs: AXIS=SIZE or TENSOR:AXIS=SIZE.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Open arrivals, requests/s.")] = None,
    poisson: Annotated[bool, typer.Option("--poisson", help="With --rate: exponential gaps.")] = False,
    users: Annotated[int | None, typer.Option(help="Closed arrivals: so many clients. Default: 1.")] = None,
    think: Annotated[float | None, typer.Option(help="With --users: seconds between answer and next request.")] = None,
    ramp: Annotated[str | None, typer.Option(help="A:B, an open rate growing from A to B requests/s.")] = None,
    burst: Annotated[
        str | None, typer.Option(help="RATE:BURST:EVERY:FOR, BURST requests/s for FOR of every EVERY seconds.")
    ] = None,
    replay: Annotated[Path | None, typer.Option(help="CSV of instant_s, and payload if you like.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds measured of each URL. Default: 10.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Blocks of each URL.")] = None,
    block: Annotated[float | None, typer.Option(help="Seconds of a block. Default: 2.")] = None,
    budget: Annotated[
        float | None, typer.Option(help="Seconds of all blocks; a pilot chooses. Default for several URLs: 60.")
    ] = None,
    warmup: Annotated[float, typer.Option(help="Longest warm-up in seconds; it ends when figures are steady.")] = 10.0,
    capacity: Annotated[
        bool, typer.Option("--capacity", help="Search the highest rate that holds the SLO, and the curve up to 130 %.")
    ] = False,
    slo_p99_ms: Annotated[float | None, typer.Option(help="SLO: p99 latency at most.")] = None,
    slo_p90_ms: Annotated[float | None, typer.Option(help="SLO: p90 latency at most.")] = None,
    max_error_rate: Annotated[
        float | None, typer.Option(help="SLO: errors per request at most. Default: 0.001.")
    ] = None,
    pid: Annotated[
        list[int] | None,
        typer.Option(help="The server's process on this machine, for CPU per request; once for each URL."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Generator processes.")] = 1,
    remote_workers: Annotated[
        int, typer.Option(help="Generator processes on other hosts, started there by `deploy-compare worker`.")
    ] = 0,
    listen: Annotated[str, typer.Option(help="HOST:PORT where remote workers come to.")] = "127.0.0.1:5557",
    seed: Annotated[int, typer.Option(help="Draws inputs, payloads and arrivals.")] = 20,
    out: OutOption = Path("runs"),
) -> None:
    """Load any server that speaks a known protocol; several are compared in interleaved blocks.

    Leaves results.json, samples and a report in runs/<id>/. Exit status 1 where a server failed or a measurement is
    invalid, 2 where it cannot be reached or refuses.
    """
    from pipelines import load_options, load_table
    from pipelines import report as reports
    from pipelines.load import load as measure
    from pipelines.targets import Targets

    console = Console()
    with reporting(console, f"interrupted: what was measured until then, if anything was, is in {out / 'latest'}"):
        asked = load_options.asked(
            load_options.Arrivals(rate, poisson, users, think, ramp, burst, replay),
            load_options.Length(duration, rounds, block, budget, warmup),
            load_options.Slo(capacity, slo_p99_ms, slo_p90_ms, max_error_rate),
            servers=len(urls),
            protocol=protocol,
            generators=load_options.Generators(workers, remote_workers, listen),
            seed=seed,
        )
        targets = Targets(tuple(urls), protocol, tuple(model or ()), tuple(pid or ()), payloads, tuple(dim or ()))
        with stoppable(console):
            folder, results = measure(targets, asked, out, console)
        load_table.show(results, console)
        console.print(f"report: {folder.path / reports.HTML}", highlight=False, soft_wrap=True)
        if any(cell.status != "ok" for cell in results.cells):
            raise typer.Exit(FAILED)


@app.command()
def serve(
    cell: Annotated[
        str, typer.Argument(help="A cell as `plan` prints it: MODEL/FRAMEWORK/FORMAT/VARIANT/SERVER/PROTOCOL.")
    ],
    engine: EngineOption = "auto",
) -> None:
    """Deploy one cell, print its endpoint and how to ask it, and stay until Ctrl-C, which is its good end: status 0."""
    from pipelines.serve import serve as stay
    from serving.errors import DidNotStart, ServerGone

    console = Console()
    with reporting(console):
        try:
            with stoppable(console, "stopping: removing the server"):
                stay(cell, engine, console)
        except KeyboardInterrupt:
            return
        except (DidNotStart, ServerGone) as exc:
            console.print(f"{exc}\n{exc.detail}".strip(), markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(FAILED) from exc


@app.command()
def export(  # noqa: PLR0913, PLR0917 - one for each flag
    cell: Annotated[str | None, typer.Argument(help="One cell by itself: MODEL/FRAMEWORK/FORMAT/VARIANT.")] = None,
    matrix: Annotated[bool, typer.Option("--matrix", help="Every cell there is: the map.")] = False,
    models: Annotated[str | None, typer.Option(help="Of the map only these, as a,b: pairs and hard cases.")] = None,
    formats: Annotated[str | None, typer.Option(help="Only these formats.")] = None,
    variants: Annotated[str | None, typer.Option(help="Only these variants.")] = None,
    frameworks: Annotated[str | None, typer.Option(help="Only torch or tensorflow.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Cells at once. Default: one a core.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that each step of a cell may take.")] = 300.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of map.json, map.html and map.md. Default: runs/map.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look again at what is known already.")] = False,
) -> None:
    """Export a cell and check its artifact where only the runtime is; with --matrix all of them, into one map.

    Exit status of a cell: 0 ok, 1 anything else. Of the map: 0 where every cell was observed or cannot be here, 1 where
    this machine, or a source, kept one from being observed.
    """
    from pipelines.environment import usable_cpus
    from pipelines.matrix import command
    from pipelines.matrix.cells import Selection

    def names(text: str | None) -> tuple[str, ...]:
        return tuple(name.strip() for name in text.split(",")) if text else ()

    asked = Selection(names(models), names(frameworks), names(formats), names(variants))
    console = Console()
    with reporting(console, "interrupted: what was observed is kept; the same command goes on from there"):
        if (cell is None) != matrix or (cell and asked != Selection()):
            raise BadInput("expected either one MODEL/FRAMEWORK/FORMAT/VARIANT, or --matrix with what to select of it")
        if cell and out:
            raise BadInput("--out is the map's folder; a cell's artifact is in the cache, where the command says")
        settings = command.Settings(jobs if jobs is not None else len(usable_cpus()), timeout, refresh)
        with stoppable(console, "stopping: ending the exports that run"):
            if cell:
                bad = command.single(cell, settings, console).outcome != "ok"
            else:
                bad = command.whole(asked, settings, out or Path("runs/map"), console).counts["not_observed"] > 0
        if bad:
            raise typer.Exit(FAILED)


@app.command()
def worker(
    master: Annotated[str, typer.Argument(help="HOST:PORT where the other host waits: load.listen, or --listen.")],
    cpus: Annotated[str | None, typer.Option(help="Cores to send from, as 2,3; one is used. Default: any.")] = None,
) -> None:
    """Send requests for a run (load.remote_workers) or a `load --remote-workers` on another host; until Ctrl-C."""
    from loadtests.join import serve
    from pipelines.environment import usable_cpus

    console = Console(highlight=False, markup=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with reporting(console):
        usable = usable_cpus()
        chosen = [int(cpu) if cpu.isdecimal() else -1 for cpu in cpus.split(",")] if cpus else usable
        if not set(chosen) <= set(usable):
            raise BadInput(f"--cpus: expected cores as {','.join(map(str, usable))}, found {cpus!r}")
        try:
            serve(master, tuple(chosen), console.print)
        except KeyboardInterrupt as exc:
            raise typer.Exit(INTERRUPTED) from exc


def _measure_machine(console: Console, seconds: float) -> None:
    from pipelines import self_calibration, trust
    from pipelines.ceiling import Spoiled
    from pipelines.run import CACHE

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    if not 90 <= seconds <= 3600:
        raise BadInput(f"--seconds: expected 90 to 3600, found {seconds:g}")
    with stoppable(console, "stopping: removing what was started"):
        try:
            found = self_calibration.calibrate_machine(seconds, say)
        except Spoiled as exc:
            say(f"{exc}; nothing is kept: end what else runs on this machine, and measure again")
            raise typer.Exit(FAILED) from exc
    trust.write(found, CACHE)
    for line in [*self_calibration.lines(found), *(faults := self_calibration.faults(found))]:
        say(line)
    if faults:
        raise typer.Exit(FAILED)
