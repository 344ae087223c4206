"""What discovery finds for the map: models, formats, and the server in whose environment a format is checked."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError

import pipelines.formats
from models import catalog, fingerprint
from models.errors import ModelError
from models.pair import HardCase, Matched, ModelPair
from pipelines.matrix.cells import FRAMEWORKS, Ground, Model, Way
from serving import catalog as servers
from serving.catalog import Server
from serving.reference import runtimes


def survey() -> Ground:
    """Everything there is. Imports no framework."""
    accepting = [servers.load(name) for name in servers.names()]
    return Ground(
        {name: _model(catalog.load(name)) for name in catalog.names()},
        {name: _way(name, accepting) for name in pipelines.formats.names()},
    )


def _model(matched: Matched) -> Model:
    absent = {
        framework: matched.absent.get(framework, "it says not why")
        for framework in FRAMEWORKS
        if framework not in matched.frameworks
    }
    summary = matched.feature if isinstance(matched, HardCase) else matched.summary
    return Model(matched.name, isinstance(matched, ModelPair), summary, absent, _fault(matched))


def _fault(matched: Matched) -> str | None:
    """What stands against building it here: weights or packages that set-up has not brought."""
    try:
        fingerprint.versions(fingerprint.model_packages(matched.name))
        if isinstance(matched, ModelPair):
            matched.weights()
    except ModelError as exc:
        return str(exc)
    except PackageNotFoundError as exc:
        return f"{exc.name} is not installed; get it with: make setup"
    return None


def _way(name: str, accepting: Sequence[Server]) -> Way:
    module = pipelines.formats.load(name)
    taker = checker(name, accepting)
    return Way(
        module.FRAMEWORKS,
        module.VARIANTS,
        pipelines.formats.missing(name),
        taker.name if taker else None,
        pipelines.formats.not_offered(module),
    )


def checker(format: str, accepting: Sequence[Server]) -> Server | None:
    """Of the servers that accept a format the one that accepts the fewest others: it is made for this one."""
    takers = [server for server in accepting if format in server.formats and server.runtime in runtimes.NAMES]
    return min(takers, key=lambda server: (len(server.formats), server.name), default=None)
