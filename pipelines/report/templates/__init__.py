"""The templates of the reports, and how they are read."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines.figures import duration, number
from pipelines.scorecard import wording


def environment(*, html: bool) -> Environment:
    """Jinja2 with our filters; in HTML every text is escaped, because logs and names come from outside."""
    found = Environment(
        loader=PackageLoader("pipelines.report", "templates"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["number"] = number
    found.filters["duration"] = duration
    found.filters["best"] = wording.best
    found.filters["paths"] = wording.paths
    found.filters["others"] = wording.others
    found.filters["lead"] = wording.lead
    found.filters["gap"] = wording.gap
    found.filters["row"] = lambda text: " ".join(str(text).replace("|", "\\|").split())
    return found
