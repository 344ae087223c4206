"""`deploy-compare serve CELL`: one cell, exported, verified and deployed as a run does it, up until Ctrl-C."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from rich.console import Console

from loadtests import protocols
from loadtests.launch import Generator
from models.pair import Tensors
from pipelines import deploy, experiments, prepare, run
from pipelines.errors import BadInput
from pipelines.experiment import Experiment
from pipelines.journal import Journal
from pipelines.known import discover
from pipelines.plan import Cell, Plan, plan
from pipelines.progress import Display, TimeLeft
from pipelines.sitting import Running, Sitting
from pipelines.store import RunFolder
from serving import engines
from serving.engines import owner
from serving.errors import DidNotStart

PARTS = ("model", "framework", "format", "variant", "server", "protocol")
LOOK_S = 1.0
"""How often it is looked whether the server still runs."""
SHOWN_BYTES = 2000
"""A longer request is no line for a shell."""


def serve(cell_id: str, engine: str, console: Console) -> None:
    """Deploy the cell, say how to ask it, and wait for an interrupt; afterwards it is gone.

    Raises `BadInput` where there is no such cell, `DidNotStart` where it failed, and `ServerGone` where it ended.
    """
    asked = _experiment(cell_id)
    planned = plan(asked, discover())
    if not planned.cells:
        raise BadInput(f"{cell_id}: {planned.skipped[0].reason}")
    with deployed(asked, planned, engine, console) as running:
        inputs, used = running.cases[0].inputs, running.deployment.usage()
        pid = min(used.processes, key=lambda each: each[1])[0] if used else None
        for line in instructions(running.cell, running.deployment.url, running.served_name, inputs, pid):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        while True:
            time.sleep(LOOK_S)
            running.deployment.usage()


def instructions(cell: Cell, url: str, model: str, inputs: Tensors, pid: int | None = None) -> list[str]:
    """Where it answers, and how it is asked: by curl where the protocol has a body to type, and by a load.

    `pid` is the process it began with, so that a load can tell its CPU.
    """
    said = [f"endpoint  {url}", f"model     {model}", f"protocol  {cell.protocol}"]
    typed = {"oip-http": "oip-http-json"}.get(cell.protocol, cell.protocol)
    if protocols.load(typed).TRANSPORT == "http":
        request = protocols.load(typed).encode(model, inputs)
        body = request.body.decode() if len(request.body) <= SHOWN_BYTES else None
        shown = f"-d '{body}'" if body else f"-d @request.json   # {_shape_of(inputs)}"
        said.append(f"curl      curl -s {url}{request.path} -H 'Content-Type: application/json' {shown}")
    own = f" --pid {pid}" if pid is not None else ""
    said.append(f"load      deploy-compare load {url} --protocol {cell.protocol} --model {model} --rate 100{own}")
    return [*said, "Ctrl-C ends it"]


def _shape_of(inputs: Tensors) -> str:
    return json.dumps({name: f"{array.dtype}{list(array.shape)}" for name, array in inputs.items()})


def _experiment(cell_id: str) -> Experiment:
    """An experiment of that cell alone; raises `BadInput`."""
    parts = cell_id.split("/")
    if len(parts) != len(PARTS):
        raise BadInput(f"{cell_id!r}: expected a cell as `deploy-compare plan` prints it: {'/'.join(PARTS)}")
    model, framework, format_, variant, server, protocol = parts
    fields = {
        "name": "serve",
        "models": [model],
        "frameworks": [framework],
        "formats": [format_],
        "variants": [variant],
        "servers": [server],
        "protocols": [protocol],
        "cold_starts": 1,
        "load": {"workloads": [{"name": "none", "arrivals": {"kind": "closed", "users": 1}}]},
    }
    return experiments.parse(yaml.safe_dump(fields), cell_id)


@contextmanager
def deployed(asked: Experiment, planned: Plan, engine: str, console: Console) -> Iterator[Running]:
    """The planned cell's server, checked and awake; raises `DidNotStart` where any stage before failed."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = RunFolder(Path(scratch))
        chosen, note = engines.choose(engine, run.CACHE, folder.logs)
        if note:
            console.print(note, markup=False, highlight=False, soft_wrap=True)
        owner.mark(f"serve-{Path(scratch).name}")
        run.sweep(chosen, folder, console)
        journal = stack.enter_context(Journal(folder.journal))
        steps = dict.fromkeys(("prepare", "reference", "export", "verify", "deploy"), 1)
        display = Display(console, TimeLeft(steps, {}))
        budget = run.server_budget(asked)
        generator = Generator(run.generator_cores(budget), folder.logs / "generator.log")
        sitting = Sitting(asked, planned, folder, journal, chosen, budget, generator, display)
        running = _start(sitting, planned.cells[0], stack)
        if running is None:
            raise DidNotStart(f"{planned.cells[0].id} cannot be served: the line above says why")
        running.deployment.resume()
        yield running


def _start(sitting: Sitting, cell: Cell, stack: ExitStack) -> Running | None:
    prepared = prepare.servers(sitting, [cell])
    reference = prepare.reference(sitting, cell.model, [cell]) if prepared else None
    candidate = prepare.candidate(sitting, cell, prepared[cell.server], reference) if reference else None
    return deploy.start(sitting, candidate, stack) if candidate else None
