"""A run from its plan to its report: sets the stage, takes model after model through it, and always writes results."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from loadtests import samples
from loadtests.launch import Generator
from pipelines import (
    batching,
    capacity,
    cores,
    deploy,
    drive,
    environment,
    experiments,
    history,
    measure,
    prepare,
    recordings,
    report,
    results,
    store,
    trials,
    trust,
    warm_up,
)
from pipelines.assemble import Facts, assemble
from pipelines.errors import BadExperiment, BadRun, OutputUnwritable
from pipelines.experiment import Experiment
from pipelines.journal import AnyEvent, BlockMeasured, Journal
from pipelines.journal import Sitting as SittingEnded
from pipelines.known import discover
from pipelines.plan import Cell, Plan, plan
from pipelines.progress import Display, TimeLeft
from pipelines.results import Results
from pipelines.sitting import Sitting
from pipelines.store import RunFolder
from serving import engines
from serving.engines import owner
from serving.engines.contract import Budget, Engine, Prepared

CACHE = Path(__file__).parents[1] / ".cache"
LEAST_FREE_BYTES = 500_000_000
"""A run does not start on a disk with less: exports, samples and the report need about half of it."""


def check(asked: Experiment, planned: Plan) -> None:
    """Raises `BadInput` where the experiment cannot be run here, whatever the engine."""
    batching.check(asked)
    recordings.check(asked)
    if not planned.cells:
        raise BadExperiment(
            f"{asked.name}: no cell to run, all are skipped; the first because {planned.skipped[0].reason}"
        )
    server_budget(asked)


def start(asked: Experiment, engine: str, out: Path, console: Console) -> tuple[RunFolder, Results]:
    """Run an experiment from its beginning.

    Raises `BadInput` or `EngineUnavailable` before anything was started, `KeyboardInterrupt` with the state saved.
    """
    planned = plan(asked, discover())
    check(asked, planned)
    budget = server_budget(asked)
    _require_disk(out)
    chosen, note = engines.choose(engine, CACHE, out)
    if note:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    folder = store.create(out, asked.name)
    with store.not_full(folder.path), folder.claimed():
        store.write(folder.experiment, experiments.dump(asked))
        described = {
            **environment.describe(),
            "engine": chosen.name,
            "budget": dataclasses.asdict(budget),
            "recordings": recordings.hashes(asked),
        }
        store.write(folder.environment, json.dumps(described, indent=1) + "\n")
        return folder, _sit(asked, planned, folder, engines.load(chosen.name, CACHE, folder.logs), budget, console)


def resume(asked: Experiment, engine: str, out: Path, console: Console) -> tuple[RunFolder, Results]:
    """Continue the experiment's latest run below `out` on its own engine; finished blocks are not measured again.

    Raises as `start`. Refuses another engine, core list or recording: blocks of different conditions must not end in
    one result.
    """
    planned = plan(asked, discover())
    check(asked, planned)
    folder = _latest(asked, out)
    with store.not_full(folder.path), folder.claimed():
        before = folder.described()
        if before.get("recordings", {}) != recordings.hashes(asked):
            raise BadRun(f"run {folder.id} replayed other recordings than those that are there now: start a new run")
        if engine not in {"auto", before["engine"]}:
            raise BadRun(f"run {folder.id} is on engine {before['engine']!r}; it cannot be resumed on {engine!r}")
        budget = server_budget(asked)
        if list(budget.cpus) != list(before["budget"]["cpus"]):
            raise BadRun(
                f"run {folder.id} had servers on cores {before['budget']['cpus']}, now they would be on"
                f" {list(budget.cpus)}"
            )
        loaded, _ = engines.choose(before["engine"], CACHE, folder.logs)
        return folder, _sit(asked, planned, folder, loaded, budget, console)


def _latest(asked: Experiment, out: Path) -> RunFolder:
    """The newest run of this very experiment; raises `BadRun` where there is none, and says what differs."""
    named = store.of_experiment(out, asked.name)
    for folder in named:
        if experiments.load(str(folder.experiment)) == asked:
            return folder
    if not named:
        raise BadRun(f"no run of experiment {asked.name!r} to resume below {out}")
    changed = "; ".join(experiments.differences(experiments.load(str(named[0].experiment)), asked))
    raise BadRun(
        f"run {named[0].id} was of another experiment {asked.name!r} (changed since: {changed}); resume it with its own"
        f" file, {named[0].experiment}, or start a new run"
    )


def _sit(
    asked: Experiment, planned: Plan, folder: RunFolder, engine: Engine, budget: Budget, console: Console
) -> Results:
    """Everything still to be done, then the results of all that is done, however it ended."""
    began_s = time.perf_counter()
    sweep(engine, folder, console)
    with Journal(folder.journal) as journal:
        try:
            _work(asked, planned, folder, engine, budget, journal, console)
        finally:
            journal.add(SittingEnded(seconds=time.perf_counter() - began_s))
            found = _assemble(asked, planned, folder, engine.name, journal.events)
            found = found.model_copy(update={"trust": trust.read(CACHE)})
            store.write(folder.results, results.to_json(found))
            report.write(found, folder.path)
    return found


def _work(
    asked: Experiment,
    planned: Plan,
    folder: RunFolder,
    engine: Engine,
    budget: Budget,
    journal: Journal,
    console: Console,
) -> None:
    generator_cpus = generator_cores(budget)
    log, load = folder.logs / "generator.log", asked.load
    with (
        Display(console, TimeLeft.of(asked, planned, journal.events)) as display,
        Generator(generator_cpus, log, load.workers, load.remote_workers, load.listen, display.say) as generator,
    ):
        if kept := sum(isinstance(event, BlockMeasured) for event in journal.events):
            display.say(f"resumed   {kept} blocks were measured before, and count")
        display.say(
            f"run       {folder.id}: {len(planned.cells)} cells on the {engine.name} engine, "
            f"{_cpus(budget.cpus)} for the server, {_cpus(generator_cpus)} for the generator"
        )
        sitting = Sitting(asked, planned, folder, journal, engine, budget, generator, display)
        prepared = prepare.servers(sitting, _standing(sitting, planned.cells))
        _record_images(folder, prepared)
        for model in asked.models:
            _model(sitting, model, prepared, generator_cpus)


def _model(sitting: Sitting, model: str, prepared: dict[str, Prepared], cpus: tuple[int, ...]) -> None:
    """One model's cells from export to the last block, all of them deployed side by side and gone at the end."""
    cells = _standing(sitting, sitting.plan.of_model(model))
    if not cells or _finished(sitting, model, cells):
        return
    reference = prepare.reference(sitting, model, cells)
    if reference is None:
        return
    recordings.check_payloads(asked=sitting.experiment, model=model, count=len(reference.load))
    drive.save_payloads(sitting, model, reference.load)
    found = (prepare.candidate(sitting, cell, prepared[cell.server], reference) for cell in cells)
    candidates = [candidate for candidate in found if candidate]
    with ExitStack() as stack, cores.measuring(cpus):
        started = (deploy.start(sitting, candidate, stack) for candidate in candidates)
        running = [each for each in started if each]
        if warm := warm_up.warm_up(sitting, running):
            measure.measure(sitting, warm)
            capacity.search(sitting, warm)


def _finished(sitting: Sitting, model: str, cells: Sequence[Cell]) -> bool:
    events = sitting.journal.events
    return history.finished(events, model, sitting.experiment) and trials.finished(events, cells, sitting.experiment)


def _record_images(folder: RunFolder, prepared: Mapping[str, Prepared]) -> None:
    """What the servers start from, in `environment.json`; raises `BadRun` where a resumed run had something else."""
    described = folder.described()
    images = described.setdefault("images", {})
    for name, found in prepared.items():
        now = f"{Path(found.reference).name} {found.digest}"
        if images.setdefault(name, now) != now:
            raise BadRun(
                f"run {folder.id} was measured with {name} = {images[name]}, which is now {now}: start a new run"
            )
    store.write(folder.environment, json.dumps(described, indent=1) + "\n")


def _standing(sitting: Sitting, cells: Sequence[Cell]) -> list[Cell]:
    failed = history.failures(sitting.journal.events)
    return [cell for cell in cells if cell.id not in failed]


def _assemble(asked: Experiment, planned: Plan, folder: RunFolder, engine: str, events: Sequence[AnyEvent]) -> Results:
    facts = Facts(folder.id, engine, asked, folder.described())
    return assemble(facts, planned, events, lambda name: samples.read(folder.path / name))


def sweep(engine: Engine, folder: RunFolder, console: Console) -> None:
    """Claims this run's children, and removes those of runs that are no longer alive, on every engine there is."""
    owner.mark(folder.id)
    for name in engines.NAMES:
        other = engine if name == engine.name else engines.load(name, CACHE, folder.logs)
        if other.unavailable() is None:
            for line in other.sweep():
                console.print(
                    f"removed   {line}: its run is no longer alive", markup=False, highlight=False, soft_wrap=True
                )


def server_budget(asked: Experiment) -> Budget:
    """The servers' cores are the last ones this process may use; the generator needs at least one of its own."""
    cpus = environment.usable_cpus()
    wanted = asked.budget.cpus
    if len(cpus) <= wanted:
        raise BadExperiment(
            f"budget.cpus: {wanted} leaves no core for the load generator; this machine has {len(cpus)} usable"
        )
    return Budget(tuple(cpus[-wanted:]), asked.budget.memory_mb * 1_000_000, asked.budget.pids)


def generator_cores(budget: Budget) -> tuple[int, ...]:
    """The cores that no server is on."""
    return tuple(cpu for cpu in environment.usable_cpus() if cpu not in budget.cpus)


def _require_disk(out: Path) -> None:
    """Raises `OutputUnwritable` where the disk of `out` is nearly full."""
    with store.writable(out):
        place = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        raise OutputUnwritable(
            f"{place} has {free / 1e6:.0f} MB free; a run needs {LEAST_FREE_BYTES / 1e6:.0f} MB for exports and samples"
        )


def _cpus(cpus: Sequence[int]) -> str:
    return f"core{'s' if len(cpus) > 1 else ''} {', '.join(map(str, cpus))}"
