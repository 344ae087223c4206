"""What the report draws and tabulates: stalls, doubts and invalid loads can be seen, what is absent is explained."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import report, results
from pipelines.report import panels
from pipelines.report.looks import looks
from pipelines.report.panels import forest, generator, trust
from pipelines.report.panels.figure import TEMPLATE, Plot, log_axis
from pipelines.report.tables import conditions, loads, ratios, settings
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


def test_all_strips_of_latency_over_time_have_one_scale_that_holds_the_highest_peak() -> None:
    title = "Latency over time, steady-200"
    layout = titled(title).figure["layout"]
    ranges = [layout[name]["range"] for name in layout if name.startswith("yaxis")]
    values = [value for trace in traces(title) for value in trace["y"]]
    assert ranges == 4 * [ranges[0]]
    assert ranges[0][0] < math.log10(min(values)) < math.log10(max(values)) < ranges[0][1]


def test_ticks_reach_as_far_as_the_whiskers() -> None:
    shown = log_axis("ms", [{"y": [5.0, 20.0], "error_y": {"array": [None, 152.0]}}])
    assert shown["tickvals"] == [5, 10, 20, 50, 100, 200]


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


def test_invalid_trials_are_faded_crosses_that_no_line_joins() -> None:
    crosses = [trace for trace in traces("Saturation, torch onnx") if trace.get("opacity", 1) < 0.5]
    joined = [trace for trace in traces("Saturation, torch onnx") if "lines" in trace["mode"]]
    assert len(crosses) == 3 + 1  # percentiles, goodput
    assert all((one["mode"], one["x"], one["marker"]["symbol"]) == ("markers", [1440], ["x"]) for one in crosses)
    assert all(1440 not in trace["x"] for trace in joined)
    assert "crosses are invalid" in titled("p99 against the offered rate").note


def test_a_capacity_that_was_not_found_says_why(tmp_path: Path) -> None:
    assert all("no rate held it: p99 was 31 ms" in text for text in written(WHOLE, tmp_path))


def test_a_percentile_that_is_not_stated_says_why() -> None:
    few = load("steady", 100.0, 1.0, 100.0, requests=300)
    item = loads.percentile(few, "p99")
    assert (item.text, item.why) == ("–", "too few requests: p99 needs 459, there were 300")
    broken = load("steady", 100.0, 1.0, 100.0, requests=700, errors=30)
    assert "30 errors" in loads.percentile(broken, "p99").why


def test_blocks_have_a_range_only_where_each_can_tell_the_figure() -> None:
    made = load("closed", None, 1.0, 100.0, latency_ms=results.Percentiles(p50=1.0, p90=2.0, p99=14.3))
    blocks = tuple(
        block.model_copy(update={"latency_ms": block.latency_ms.model_copy(update={"p99": p99})})
        for block, p99 in zip(made.blocks, (10.35, None, 7.91), strict=True)
    )
    shown = made.model_copy(update={"blocks": blocks})
    assert loads.percentile(shown, "p50").below == "1.00–1.02"
    item = loads.percentile(shown, "p99")
    assert (item.text, item.below, item.why) == ("14.3", "", "no range: 1 of 3 blocks cannot tell it alone")


def test_the_lag_that_was_judged_is_in_the_table_and_in_the_chart() -> None:
    unit = "ms at rank 297 of 300 (too few to tell a p99)"
    gate = results.Gate(name="lag", passed=False, value=36.9, limit=1.0, unit=unit, remedy="run on an idle machine")
    unsaid = results.Generator(lag_p99_ms=None, cpu_fraction=0.2)
    lag_ms = results.Percentiles(p50=0.1, p90=0.2, p99=None)
    late = load("steady", 100.0, 1.0, 100.0, valid=False, gates=(gate,), lag_ms=lag_ms, generator=unsaid)
    shown = cell("onnx", loads=(late,))
    [row] = conditions.table([shown], looks([shown])).rows
    assert ("0.100 / 0.200 / –", f"36.9 {unit}") in [(item.text, item.below) for item in row.items]
    lag, _ = generator.of([(shown, late)], looks([shown]))
    assert lag.figure["data"][0]["x"] == [0.1, 0.2, 36.9]
    assert f"{{x:.3g}} {unit}" in lag.figure["data"][0]["hovertemplate"][-1]


def test_every_repeat_of_a_round_is_counted() -> None:
    made = load("steady", 100.0, 1.0, 100.0)
    blocks = tuple(
        block.model_copy(update={"attempt": attempt}) for block, attempt in zip(made.blocks, (0, 8, 0), strict=True)
    )
    shown = cell("onnx", loads=(made.model_copy(update={"blocks": blocks}),))
    [row] = conditions.table([shown], looks([shown])).rows
    assert ("3", "8 repeats") in [(item.text, item.below) for item in row.items]


def test_a_failed_gate_shows_value_limit_and_remedy(tmp_path: Path) -> None:
    item = loads.gates(spoiled(load("steady", 100.0, 1.0, 100.0)).gates, valid=False)
    assert [badge.text for badge in item.badges] == ["invalid", "lag 7.30 ms at p99 in one block, limit 1.00"]
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
        ({"kind": "closed", "users": 1}, "closed: 1 client, each at once after its last answer"),
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


def test_the_environment_is_written_for_people() -> None:
    budget = {"cpus": [1], "memory_bytes": 512_000_000, "pids": 256}
    seen = {
        "usable_cores": [0, 1],
        "cores_kept_awake": True,
        "memory_bytes": 24_000_000_000,
        "frequency_governor": None,
        "packages": {"uvicorn": None, "torch": "2.13.0"},
        "budget": budget,
    }
    assert settings.environment(WHOLE.model_copy(update={"environment": seen})) == (
        ("usable cores", "0, 1"),
        ("cores kept awake", "yes"),
        ("memory", "24.0 GB"),
        ("frequency governor", "–"),
        ("packages", "torch 2.13.0"),
        ("budget", "cpus 1 · memory 512 MB · pids 256"),
    )


def test_one_cell_is_not_several() -> None:
    assert view(run(cell("onnx"))).summary.startswith("1 cell: 1 ok")
