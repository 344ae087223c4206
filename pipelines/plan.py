"""Which cells an experiment has, which of those cannot be, and how long it will take. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from pipelines import rounds
from pipelines.errors import BadExperiment
from pipelines.experiment import Experiment


@dataclass(frozen=True)
class Way:
    """What a format can do: the frameworks it exports from and the variants it makes."""

    frameworks: Sequence[str]
    variants: Sequence[str]


@dataclass(frozen=True)
class Offer:
    """What a server can do: the formats it accepts and the protocols it speaks."""

    formats: Sequence[str]
    protocols: Sequence[str]


@dataclass(frozen=True)
class Known:
    """Everything that discovery found, by name."""

    models: Sequence[str]
    formats: Mapping[str, Way]
    servers: Mapping[str, Offer]
    protocols: Sequence[str]


@dataclass(frozen=True, order=True)
class Cell:
    """One row of results. `server` and `protocol` are `-` in a cell that no server takes."""

    model: str
    framework: str
    format: str
    variant: str
    server: str
    protocol: str

    @property
    def id(self) -> str:
        return "/".join((self.model, self.framework, self.format, self.variant, self.server, self.protocol))

    @property
    def slug(self) -> str:
        """The id as a file name."""
        return self.id.replace("/", "--")


@dataclass(frozen=True)
class Skip:
    """A cell that cannot be, and why."""

    cell: Cell
    reason: str


@dataclass(frozen=True)
class Plan:
    """The cells to run, those that cannot be, and the seconds of measuring alone."""

    cells: tuple[Cell, ...]
    skipped: tuple[Skip, ...]
    measuring_s: float

    def of_model(self, model: str) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.model == model)


def plan(experiment: Experiment, known: Known) -> Plan:
    """Every combination the experiment asks for, each either a cell or skipped with its reason.

    Raises `BadExperiment` where it names a model, format, server or protocol that does not exist, or excludes what
    would not be there anyway.
    """
    check_names("model", "models", experiment.models, known.models)
    check_names("format", "formats", experiment.formats, tuple(known.formats))
    check_names("server", "servers", experiment.servers or (), tuple(known.servers))
    check_names("protocol", "protocols", experiment.protocols, known.protocols)
    cells: list[Cell] = []
    skipped: list[Skip] = []
    combinations = itertools.product(experiment.models, experiment.frameworks, experiment.formats, experiment.variants)
    for model, framework, fmt, variant in combinations:
        way = known.formats[fmt]
        nowhere = Cell(model, framework, fmt, variant, "-", "-")
        if framework not in way.frameworks:
            skipped.append(Skip(nowhere, f"format {fmt} exports from {_either(way.frameworks)}, not from {framework}"))
        elif variant not in way.variants:
            skipped.append(Skip(nowhere, f"format {fmt} is exported as {_either(way.variants)}, not as {variant}"))
        else:
            found, unspoken = _served(nowhere, experiment, known)
            cells += found
            skipped += unspoken if found else [Skip(nowhere, _unserved(fmt, experiment, known))]
    kept, excluded = _without(cells, experiment.exclude)
    return Plan(tuple(kept), (*skipped, *excluded), measuring_s(experiment, kept))


def measuring_s(experiment: Experiment, cells: Sequence[Cell]) -> float:
    """Seconds of measured blocks at most, without warm-up, repeats or pauses between.

    cells × rounds × block_s of each workload, summed over models and workloads.
    """
    load = experiment.load
    counts = {model: sum(cell.model == model for cell in cells) for model in experiment.models}
    return sum(
        count * rounds.most(load, workload, count) * rounds.block_s(load, workload)
        for model, count in counts.items()
        for workload in experiment.workloads_of(model)
    )


def check_names(what: str, field: str, asked: Sequence[str], known: Sequence[str]) -> None:
    """Raises `BadExperiment` for the first name that discovery does not know."""
    for name in asked:
        if name not in known:
            raise BadExperiment(f"{field}: unknown {what} {name!r}; known: {', '.join(sorted(known))}")


def _served(cell: Cell, experiment: Experiment, known: Known) -> tuple[list[Cell], list[Skip]]:
    """The cells of the servers that accept the format, and those of protocols that such a server does not speak."""
    servers = experiment.servers if experiment.servers is not None else tuple(known.servers)
    cells: list[Cell] = []
    skipped: list[Skip] = []
    takers = [server for server in servers if cell.format in known.servers[server].formats]
    for server, protocol in itertools.product(takers, experiment.protocols):
        found, spoken = replace(cell, server=server, protocol=protocol), known.servers[server].protocols
        if protocol in spoken:
            cells.append(found)
        else:
            skipped.append(Skip(found, f"server {server} speaks {_either(spoken)}, not {protocol}"))
    return cells, skipped


def _without(cells: Sequence[Cell], patterns: Sequence[str]) -> tuple[list[Cell], list[Skip]]:
    """The cells that no pattern excludes, and those that one does."""
    for pattern in patterns:
        if not any(fnmatchcase(cell.id, pattern) for cell in cells):
            raise BadExperiment(
                f"exclude: no cell of this experiment is like {pattern!r}; deploy-compare plan lists them"
            )
    by = {cell: next((pattern for pattern in patterns if fnmatchcase(cell.id, pattern)), None) for cell in cells}
    return (
        [cell for cell, pattern in by.items() if pattern is None],
        [Skip(cell, f"the experiment excludes {pattern}") for cell, pattern in by.items() if pattern],
    )


def _unserved(fmt: str, experiment: Experiment, known: Known) -> str:
    takers = [name for name, offer in known.servers.items() if fmt in offer.formats]
    among = "this experiment's servers" if experiment.servers is not None else "the known servers"
    if not takers:
        return f"none of the known servers accepts format {fmt}"
    return f"none of {among} takes format {fmt} over {_either(experiment.protocols)}; {', '.join(takers)} accepts it"


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
