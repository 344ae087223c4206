"""Results on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import figures
from benchmarks.cases import CASES


def overhead(console: Console, found: dict[str, Any]) -> None:
    """One table a case, and the verdicts."""
    for verdict in found["verdicts"]:
        case = CASES[verdict["case"]]
        table = Table(title=f"({case.letter}) {case.title}", title_justify="left")
        for index, heading in enumerate(figures.HEADINGS):
            table.add_column(heading, justify="left" if index == 0 or index > 4 else "right")
        for row in found["rows"]:
            if row["case"] == case.name:
                table.add_row(*figures.cells(row))
        console.print(table)
        console.print(figures.sentence(case, verdict), highlight=False, soft_wrap=True)
        light = next(row for row in found["one_connection"] if row["case"] == case.name)
        console.print(f"at one connection: p50 {figures.milliseconds(light['p50_ms'])}\n", highlight=False)
