"""What the report draws and tabulates: stalls, doubts and invalid loads can be seen, what is absent is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import report, results
from pipelines.report import panels
from pipelines.report.looks import looks
from pipelines.report.panels import forest, trust
from pipelines.report.panels.figure import TEMPLATE, Plot
from pipelines.report.tables import loads, ratios, settings
from pipelines.report.view import view
from tests.pipelines.made import cell, comparison, load, run
from tests.pipelines.made_whole import endpoints, spoiled, thorough

WHOLE = thorough()


def drawn(shown: results.Results) -> Iterator[Plot]:
    for model in view(shown).models:
        found = panels.panels(model)
        yield from (*found.latency, *found.capacity, *found.generator, *found.deployment)
        for some in found.ratios.values():
            yield from some
    yield from trust.of(shown.trust) if shown.trust else ()


def titled(title: str) -> Plot:
    return next(plot for plot in drawn(WHOLE) if plot.title == title)


def traces(title: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = titled(title).figure["data"]
    return data


def written(shown: results.Results, folder: Path) -> tuple[str, str]:
    """Both reports, the page without its scripts."""
    report.write(shown, folder)
    page = (folder / report.HTML).read_text()
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL), (folder / report.MARKDOWN).read_text()


@pytest.mark.parametrize("shown", [WHOLE, endpoints(), run(cell("onnx"))], ids=["whole", "endpoints", "plain"])
def test_plotly_knows_every_property_that_is_drawn(shown: results.Results) -> None:
    import plotly.graph_objects as go

    go.layout.Template(TEMPLATE)
    for plot in drawn(shown):
        go.Figure(plot.figure)


def test_a_stall_stands_out_of_latency_over_time() -> None:
    worst = next(trace for trace in traces("Latency over time, steady-200") if trace["name"] == "worst")
    assert max(worst["y"]) == 100.0 > 5 * sorted(worst["y"])[-2]


def test_the_upper_bounds_are_whiskers_of_the_spectrum() -> None:
    bounds = next(trace for trace in traces("Latency spectrum, steady-200") if "error_y" in trace)
    assert [y + up for y, up in zip(bounds["y"], bounds["error_y"]["array"], strict=True)] == pytest.approx(
        [1.02 * 2.2, 1.98 * 2.2, 4.5 * 2.2]
    )


def test_an_invalid_load_is_faded_and_named() -> None:
    named = [trace for trace in traces("Latency spectrum, steady-200") if trace["name"] == "tf savedmodel (invalid)"]
    assert named
    assert all(trace["opacity"] < 0.5 for trace in named)


def test_verdicts_are_told_apart_without_colour_and_say_what_would_decide() -> None:
    rows = {trace["hovertemplate"].split(":")[0]: trace for trace in traces("p50 latency")}
    assert len({trace["marker"]["symbol"] for trace in rows.values()}) == len(rows) == 3
    assert "12 more blocks of each would decide" in rows["inconclusive"]["hovertemplate"]


def test_headline_metrics_come_first() -> None:
    shown = view(WHOLE).models[0].ratios
    assert [next(iter(one.by_metric)) for one in shown] == ["latency_ms.p50", "achieved_rps"]


def test_the_calibration_shows_what_was_injected() -> None:
    assert WHOLE.trust
    lines = [shape["x0"] for shape in titled("Trial A/+5 %").figure["layout"]["shapes"] if shape["type"] == "line"]
    assert 1 / WHOLE.trust.a5_injected in lines


def test_an_interval_without_end_does_not_stretch_the_axis() -> None:
    wide = comparison("onnx", "tflite", 1.1, "inconclusive", ci95=(1e-9, 1e9))
    low, high = forest.draw("", "", [forest.Entry("", wide)]).figure["layout"]["xaxis"]["range"]
    assert -0.7 < low < high < 0.7


def test_saturation_has_the_slo_the_capacity_and_its_interval() -> None:
    shapes = titled("Saturation, torch onnx").figure["layout"]["shapes"]
    assert 20.0 in [shape["y0"] for shape in shapes]
    assert (1600 * 0.97, 1600 * 1.02) in [(shape["x0"], shape["x1"]) for shape in shapes]


def test_a_capacity_that_was_not_found_says_why(tmp_path: Path) -> None:
    assert all("no rate held it: p99 was 31 ms" in text for text in written(WHOLE, tmp_path))


def test_a_percentile_that_is_not_stated_says_why() -> None:
    few = load("steady", 100.0, 1.0, 100.0, requests=300)
    item = loads.percentile(few, "p99")
    assert (item.text, item.why) == ("–", "too few requests: p99 needs 459, there were 300")
    broken = load("steady", 100.0, 1.0, 100.0, requests=700, errors=30)
    assert "30 errors" in loads.percentile(broken, "p99").why


def test_a_failed_gate_shows_value_limit_and_remedy(tmp_path: Path) -> None:
    item = loads.gates(spoiled(load("steady", 100.0, 1.0, 100.0)).gates, valid=False)
    assert [badge.text for badge in item.badges] == ["invalid", "lag 7.30 ms at p99, limit 1.00"]
    assert item.below == "run on an idle machine"
    assert all("run on an idle machine" in text for text in written(WHOLE, tmp_path))


def test_the_machine_is_shown_load_by_load_as_far_as_it_tells(tmp_path: Path) -> None:
    page, text = written(WHOLE, tmp_path)
    assert "Clock, % of the highest" in text
    assert "Throttled" not in page + text


def test_an_uncalibrated_machine_is_told_in_one_line(tmp_path: Path) -> None:
    assert all("deploy-compare doctor --measure" in text for text in written(run(cell("onnx")), tmp_path))


def test_endpoints_have_no_frameworks_and_all_the_rest(tmp_path: Path) -> None:
    for text in written(endpoints(), tmp_path):
        assert "PyTorch" not in text
        assert "TensorFlow" not in text
        assert "http://127.0.0.1:8002" in text
        assert "0.770" in text


def test_cells_that_share_a_format_have_labels_of_their_own() -> None:
    twice = [cell("onnx"), cell("onnx").model_copy(update={"id": "other", "server": "tf-serving"}), cell("tflite")]
    assert [look.label for look in looks(twice).values()] == [
        "torch onnx reference-onnx",
        "torch onnx tf-serving",
        "tf tflite",
    ]


def test_an_open_question_whose_end_is_unknown_says_so() -> None:
    assert ratios.next_step(comparison("onnx", "tflite", 1.0, "inconclusive")) == "more blocks; how many is not known"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "closed", "users": 4, "think_s": 0.5}, "closed: 4 clients, each 0.5 s after its last answer"),
        ({"kind": "open", "rate_rps": 200.0}, "open: 200 requests/s, evenly spaced"),
        ({"kind": "ramp", "from_rps": 0, "to_rps": 100}, "ramp: 0 to 100 requests/s over each block"),
        (
            {"kind": "burst", "rate_rps": 50, "burst_rps": 400, "every_s": 2, "burst_s": 0.5},
            "burst: 50 requests/s, 400 for the first 0.5 s of every 2 s",
        ),
        ({"kind": "replay", "file": "day.csv"}, "replay: the recorded instants of day.csv"),
    ],
)
def test_arrivals_are_said_in_words(asked: dict[str, Any], said: str) -> None:
    assert settings.arrivals(asked) == said


def test_the_settings_name_rounds_and_seed(tmp_path: Path) -> None:
    for text in written(WHOLE, tmp_path):
        assert "as a pilot asks for within 60 s of blocks a workload and model" in text
        assert re.search(r"seed\W.*20\b", text)
