"""What `deploy-compare load` prints: each percentile with its upper bound, service time, and `–` where nothing is."""

from __future__ import annotations

import io

from rich.console import Console

from pipelines import load_table, results
from pipelines.report.looks import looks
from pipelines.report.tables import loads
from tests.pipelines.made import cell, load, run
from tests.pipelines.made_whole import measured


def shown(*tried: results.Load) -> list[str]:
    """The lines of the table, blanks folded."""
    text = io.StringIO()
    load_table.show(run(cell("onnx", loads=tried)), Console(file=text, width=80))
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


def test_the_reports_loads_have_the_service_time() -> None:
    def columns(load_: results.Load) -> dict[str, str]:
        one = cell("onnx", loads=(load_,))
        table = loads.table([one], looks([one]))
        return {name: item.text for (name, _), item in zip(table.columns, table.rows[0].items, strict=True)}

    assert columns(measured("steady", 200.0, 10.0, 200.0))["Service"] == "9.00 / 39.0"
    assert "Service" not in columns(load("steady", 100.0, 1.0, 100.0))
