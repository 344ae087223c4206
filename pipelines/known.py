"""What discovery finds: the models, formats, servers, protocols and experiments there are. Imports no framework."""

from __future__ import annotations

import loadtests.protocols
import models.catalog
import models.zoo
import pipelines.formats
from pipelines.plan import Known, Offer, Way
from serving import catalog


def discover() -> Known:
    """Everything a plan may name; raises `BadPlugin` or `ServingError` where an added file or folder cannot be used."""
    models.catalog.names()  # no plan names a hard case, but what is wrong with one would stop the first export
    formats = {}
    for name in pipelines.formats.names():
        module = pipelines.formats.load(name)
        formats[name] = Way(module.FRAMEWORKS, module.VARIANTS)
    servers = {}
    for name in catalog.names():
        server = catalog.load(name)
        servers[name] = Offer(server.formats, server.protocols)
    return Known(models.zoo.names(), formats, servers, loadtests.protocols.NAMES)
