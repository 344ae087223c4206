"""What `deploy-compare list` shows: one row for each thing discovery finds."""

from __future__ import annotations

from collections.abc import Callable

import models.hard_cases
import models.zoo
import pipelines.formats
from loadtests import protocols
from pipelines import experiments
from serving import catalog

Rows = list[tuple[str, ...]]


def _models() -> Rows:
    pairs = map(models.zoo.load, models.zoo.names())
    return [(pair.name, pair.summary, pair.source) for pair in pairs]


def _hard_cases() -> Rows:
    cases = map(models.hard_cases.load, models.hard_cases.names())
    return [(case.name, case.feature, ", ".join(case.frameworks)) for case in cases]


def _formats() -> Rows:
    loaded = ((name, pipelines.formats.load(name)) for name in pipelines.formats.names())
    return [(name, ", ".join(m.FRAMEWORKS), ", ".join(m.VARIANTS), m.EXTRA or "-") for name, m in loaded]


def _servers() -> Rows:
    servers = map(catalog.load, catalog.names())
    return [(s.name, s.runtime, ", ".join(s.formats), ", ".join(s.protocols)) for s in servers]


def _protocols() -> Rows:
    servers = [catalog.load(name) for name in catalog.names()]
    speakers = {name: [server.name for server in servers if name in server.protocols] for name in protocols.NAMES}
    return [(name, protocols.load(name).TRANSPORT, ", ".join(found)) for name, found in speakers.items()]


def _experiments() -> Rows:
    loaded = map(experiments.load, experiments.names())
    return [(e.name, ", ".join(e.models), ", ".join(e.formats)) for e in loaded]


KINDS: dict[str, tuple[tuple[str, ...], Callable[[], Rows]]] = {
    "models": (("model", "what it is", "source and licence"), _models),
    "hard-cases": (("hard case", "feature", "in"), _hard_cases),
    "formats": (("format", "from", "variants", "extra"), _formats),
    "servers": (("server", "runtime", "formats", "protocols"), _servers),
    "protocols": (("protocol", "transport", "servers"), _protocols),
    "experiments": (("experiment", "models", "formats"), _experiments),
}


def rows(kind: str) -> tuple[tuple[str, ...], Rows]:
    """The header and the rows of one kind of `KINDS`."""
    header, find = KINDS[kind]
    return header, find()
