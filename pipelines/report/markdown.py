"""The report as Markdown, for a pull request or a terminal."""

from __future__ import annotations

from pipelines.report.templates import environment
from pipelines.report.view import View


def render(view: View) -> str:
    """Markdown text of the whole report, without plots."""
    return environment(html=False).get_template("report.md.j2").render(view=view)
