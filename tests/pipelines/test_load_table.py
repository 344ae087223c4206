"""What `deploy-compare load` prints: each percentile with its upper bound, service time, and `–` where nothing is."""

from __future__ import annotations

import io

from rich.console import Console

from pipelines import load_table, results
from tests.pipelines.made import cell, load, run
from tests.pipelines.made_whole import measured


def shown(*loads: results.Load) -> list[str]:
    """The lines of the table, blanks folded."""
    text = io.StringIO()
    load_table.show(run(cell("onnx", loads=loads)), Console(file=text, width=80))
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_below_a_percentile_is_its_upper_bound() -> None:
    header, figures, bounds, *_ = shown(measured("steady", 200.0, 10.0, 200.0))
    assert header.endswith("p50 ms p90 ms p99 ms service p50 / p99 ms lag p99 ms CPU ms/request requests errors")
    assert "200 200 10.0 19.0 40.0 9.00 / 39.0" in figures
    assert bounds == "≤ 10.2 ≤ 19.8 ≤ 45.0"


def test_what_is_not_known_has_no_bound() -> None:
    lines = shown(load("steady", 100.0, 1.0, 100.0))
    assert "100 100 1.00 2.00 – – / –" in lines[1]
    assert lines[2] == " ".join(load_table.LEGEND.split())
