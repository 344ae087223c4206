"""The report of a run, from its results alone: one HTML file that opens offline, and Markdown."""

from __future__ import annotations

from pathlib import Path

from pipelines import store
from pipelines.report import html, markdown
from pipelines.report.view import view
from pipelines.results import Results

HTML = "report.html"
MARKDOWN = "report.md"


def write(results: Results, folder: Path) -> None:
    """Write `report.html` and `report.md` into the run's folder; raises OSError where it cannot be written."""
    shown = view(results)
    store.write(folder / HTML, html.render(shown))
    store.write(folder / MARKDOWN, markdown.render(shown))
