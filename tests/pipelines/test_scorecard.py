"""The scorecard: who leads, by how much, and when nothing is claimed."""

from __future__ import annotations

import pytest

from pipelines.results import Capacity, Load, Results
from pipelines.scorecard import score, wording
from pipelines.scorecard.lines import AXES, Line
from tests.pipelines.made import cell, cell_id, comparison, failed, load, run


def line(results: Results, metric: str) -> Line:
    return next(line for line in score(results).lines if line.metric == metric)


FOUR = (cell("torchscript", 2.0), cell("onnx", 1.0), cell("savedmodel", 4.0), cell("tflite", 1.5))


def test_there_is_one_row_an_axis() -> None:
    assert tuple(row.axis for row in score(run(*FOUR)).rows) == AXES


def test_a_lead_is_the_best_path_against_the_best_path() -> None:
    found = line(run(*FOUR, comparisons=(comparison("onnx", "tflite", 1 / 1.5),)), "latency p50")
    assert found.leader == "torch"
    assert found.factor == pytest.approx(1.5)
    assert [path.label for path in found.torch.paths] == ["onnx", "torchscript"]
    assert [path.label for path in found.tensorflow.paths] == ["tflite", "savedmodel"]


@pytest.mark.parametrize(("a", "b", "ratio"), [("onnx", "tflite", 1 / 1.5), ("tflite", "onnx", 1.5)])
def test_a_comparison_means_the_same_in_either_order(a: str, b: str, ratio: float) -> None:
    found = line(run(*FOUR, comparisons=(comparison(a, b, ratio),)), "latency p50")
    assert found.leader == "torch"
    assert found.evidence.startswith("95 % interval 1.46–1.5")


@pytest.mark.parametrize("verdict", ["inconclusive", "equivalent"])
def test_blocks_that_support_no_lead_show_no_difference(verdict: str) -> None:
    found = line(run(*FOUR, comparisons=(comparison("onnx", "tflite", 0.8, verdict),)), "latency p50")
    assert found.leader is None
    assert verdict in found.evidence


def test_more_requests_per_second_is_better() -> None:
    compared = comparison("onnx", "tflite", 1.5, workload="closed", metric="achieved_rps")
    found = line(run(*FOUR, comparisons=(compared,)), "throughput")
    assert found.leader == "torch"
    assert found.torch.best is not None
    assert found.torch.best.label == "onnx"


@pytest.mark.parametrize(
    ("tflite", "leader"), [((400.0, 380.0, 420.0), "torch"), ((490.0, 470.0, 510.0), None), ((400.0, None, None), None)]
)
def test_capacity_leads_where_the_intervals_do_not_touch(tflite: tuple[float, ...], leader: str | None) -> None:
    slo = "p99 ≤ 20 ms, errors ≤ 0.1 %"

    def capacity(rps: float, low: float | None, high: float | None) -> Capacity:
        ci95 = None if low is None or high is None else (low, high)
        return Capacity(slo=slo, rps=rps, ci95=ci95, distribution="poisson")

    results = run(cell("onnx", capacity=capacity(500.0, 485.0, 515.0)), cell("tflite", 1.0, capacity=capacity(*tflite)))
    found = line(results, "capacity")
    assert (found.leader, found.headline, found.axis) == (leader, True, "speed")
    assert slo in score(results).verdicts["digits_cnn"]


@pytest.mark.parametrize(("tflite", "leader"), [((800.0, 780.0, 820.0), "torch"), ((1100.0, 990.0, 1200.0), None)])
def test_a_server_that_held_all_that_was_tried_is_not_beaten_by_one_that_did_not(
    tflite: tuple[float, float, float], leader: str | None
) -> None:
    rps, low, high = tflite
    limited = Capacity(slo="p99", rps=rps, ci95=(low, high), distribution="poisson")
    slow = Capacity(slo="p99", rps=100.0, ci95=(95.0, 105.0), distribution="poisson")
    unlimited = Capacity(slo="p99", rps=None, ci95=None, distribution="poisson", at_least_rps=1000.0)
    found = line(
        run(cell("torchscript", capacity=slow), cell("onnx", capacity=unlimited), cell("tflite", capacity=limited)),
        "capacity",
    )
    assert found.leader == leader
    assert wording.best(found, "torch") == "≥ 1,000 requests/s (onnx)"
    assert wording.lead(found) == ("PyTorch ≥ 1.25×" if leader else "no difference shown")


def test_an_undecided_comparison_says_how_much_more_it_takes() -> None:
    open_ = comparison("onnx", "tflite", 0.97, "inconclusive", more_blocks=14)
    assert "about 14 more would decide" in line(run(*FOUR, comparisons=(open_,)), "latency p50").evidence


def test_an_invalid_load_is_no_figure() -> None:
    spoiled = cell("onnx", 1.0, status="invalid", loads=(load("steady", 100.0, 0.1, 100.0, valid=False),))
    found = line(run(cell("torchscript", 2.0), spoiled, cell("tflite", 1.5)), "latency p50")
    assert [path.label for path in found.torch.paths] == ["torchscript"]


SPOILED = (load("steady", 100.0, 1.0, 100.0, valid=False), load("closed", None, 1.0, 100.0, valid=False))


@pytest.mark.parametrize(
    ("torch", "tensorflow", "said"),
    [
        (SPOILED, SPOILED, "speed not judged: no load is valid."),
        (SPOILED[:1] + FOUR[0].loads[1:], SPOILED, "speed not judged: only PyTorch has a valid figure."),
        (SPOILED[:1] + FOUR[0].loads[1:], SPOILED[:1] + FOUR[3].loads[1:],
         "speed not judged under steady: no load is valid."),
        ((), (), "speed not judged: nothing was measured."),
    ],
)  # fmt: skip
def test_what_had_nothing_valid_is_said_not_to_be_judged(
    torch: tuple[Load, ...], tensorflow: tuple[Load, ...], said: str
) -> None:
    found = score(run(cell("onnx", loads=torch), cell("tflite", loads=tensorflow)))
    assert found.verdicts["digits_cnn"].endswith(f"; {said}")
    assert [len(row.gaps) for row in found.rows] == [0, 0, 0, 1]


def test_an_axis_that_nothing_reached_is_not_empty() -> None:
    for row in score(run(failed("onnx"), failed("tflite"))).rows[1:]:
        assert [wording.gap(gap) for gap in row.gaps] == ["no path worked to the end"]


def test_the_process_engine_deploys_environments() -> None:
    cells = [each.model_copy(update={"engine": "process"}) for each in FOUR]
    names = {line.metric for line in score(run(*cells)).lines}
    assert {"environment size", "environment beyond the base"} <= names
    assert not any("image" in name for name in names)


def test_reach_counts_what_was_tried() -> None:
    found = line(run(failed("torchscript"), cell("onnx"), cell("savedmodel"), cell("tflite")), "export paths that work")
    assert (len(found.torch.paths), found.torch.tried) == (1, 2)
    assert (len(found.tensorflow.paths), found.tensorflow.tried) == (2, 2)
    assert found.leader == "tensorflow"


def test_a_framework_that_was_not_tried_does_not_lose_on_reach() -> None:
    found = line(run(cell("onnx")), "export paths that work")
    assert (found.torch.tried, found.tensorflow.tried, found.leader) == (1, 0, None)


def test_errors_within_the_tolerance_are_no_lead() -> None:
    assert line(run(*FOUR), "worst parity error").leader is None


def test_sizes_are_counted_and_lead_without_blocks() -> None:
    found = line(run(*FOUR), "image size")
    assert found.leader == "torch"
    assert found.factor == pytest.approx(1.5)


def test_one_cold_start_each_supports_no_lead() -> None:
    once = cell("onnx").deploy
    assert once is not None
    cells = [
        cell(name, deploy=once.model_copy(update={"cold_start_s": (seconds,)}))
        for name, seconds in (("onnx", 1.0), ("tflite", 9.0))
    ]
    assert line(run(*cells), "cold start").leader is None


def test_a_model_with_nothing_left_says_so() -> None:
    verdict = score(run(failed("torchscript"), failed("tflite"))).verdicts["digits_cnn"]
    assert verdict == "digits_cnn: 0 of 1 tried paths work from PyTorch, 0 of 1 from TensorFlow; nothing to compare."


def test_the_sentence_names_leads_with_their_figures() -> None:
    sentence = score(run(*FOUR, comparisons=(comparison("onnx", "tflite", 1 / 1.5),))).verdicts["digits_cnn"]
    assert "PyTorch's best path leads on" in sentence
    assert "latency p50, steady (onnx 1.00 ms, 1.50×)" in sentence
    assert "no difference shown in" in sentence
    assert cell_id("onnx") not in sentence
