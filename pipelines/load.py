"""`deploy-compare load URL …`: measures servers that somebody else runs, and leaves results and a report of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rich.console import Console

from loadtests.launch import Generator
from pipelines import bench, environment, experiments, recordings, report, results, store, trust
from pipelines.experiment import Experiment
from pipelines.progress import Display
from pipelines.results import Results
from pipelines.run import CACHE
from pipelines.store import RunFolder
from pipelines.targets import Targets, reach
from serving import engines


def load(targets: Targets, asked: Experiment, out: Path, console: Console) -> tuple[RunFolder, Results]:
    """Measure, and write what was seen, also when interrupted.

    Raises `BadInput` or `LoadTestError` where a server cannot be reached or refuses, before anything is written.
    """
    recordings.check(asked)
    servers, origin = reach(targets, asked.load.seed)
    cells = [each.cell for each in servers]
    asked = asked.model_copy(update={"models": (cells[0].model,)})
    recordings.check_payloads(asked, cells[0].model, len(servers[0].cases))
    server_cpus = {cpu for pid in targets.pids for cpu in os.sched_getaffinity(pid)}
    generator_cpus = _generator_cpus(server_cpus, asked.load.workers)
    watched = () if server_cpus & set(generator_cpus) else tuple(sorted(server_cpus))
    folder = store.create(out, asked.name)
    with store.not_full(folder.path), folder.claimed():
        budget = {"cpus": sorted(server_cpus)}
        described = {**environment.describe(), "engine": bench.EXTERNAL, "budget": budget, "inputs": origin}
        store.write(folder.experiment, experiments.dump(asked))
        store.write(folder.environment, json.dumps(described, indent=1) + "\n")
        log, load = folder.logs / "generator.log", asked.load
        with (
            Display(console, bench.time_left(asked, len(servers))) as display,
            Generator(generator_cpus, log, load.workers, load.remote_workers, load.listen, display.say) as generator,
        ):
            display.say(f"run       {folder.id}, generator on core {', '.join(map(str, generator_cpus))}")
            display.say(f"inputs    {origin}")
            engine = engines.load("process", CACHE, folder.logs)
            try:
                bench.sit(asked, servers, bench.Bench(folder, generator, engine, watched), display)
            finally:
                found = bench.assembled(asked, cells, folder, described)
                found = found.model_copy(update={"trust": trust.read(CACHE)})
                store.write(folder.results, results.to_json(found))
                report.write(found, folder.path)
    return folder, found


def _generator_cpus(server_cpus: set[int], workers: int) -> tuple[int, ...]:
    """The first cores that the servers are not on, one for each generator process; any, where they are on all."""
    usable = environment.usable_cpus()
    apart = [cpu for cpu in usable if cpu not in server_cpus]
    return tuple((apart or usable)[:workers])
