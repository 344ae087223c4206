"""What discovery finds: the models, formats, servers, protocols and experiments there are. Imports no framework."""

from __future__ import annotations

import loadtests.protocols
import models.zoo
import pipelines.formats
from pipelines.plan import Known, Offer, Way
from serving import catalog


def discover() -> Known:
    """Everything a plan may name."""
    formats = {}
    for name in pipelines.formats.NAMES:
        module = pipelines.formats.load(name)
        formats[name] = Way(module.FRAMEWORKS, module.VARIANTS)
    servers = {}
    for name in catalog.names():
        server = catalog.load(name)
        servers[name] = Offer(server.formats, server.protocols)
    return Known(models.zoo.NAMES, formats, servers, loadtests.protocols.NAMES)
