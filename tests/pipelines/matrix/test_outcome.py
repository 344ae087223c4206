"""Each outcome follows from what was seen, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.pair import Quality
from pipelines.check import CaseChecked
from pipelines.matrix.observation import Export, Failure, Observation
from pipelines.matrix.outcome import NOTHING_QUANTIZED, OUTCOMES, judge
from pipelines.parity import Parity

RIGHT = Parity("artifact", 0.0, 0.0, True)
WRONG = Parity("artifact", 1.0, 0.5, False, "relative error 0.5 is over 0.001")
SEEN = Observation("pair/torch/onnx/fp32", "onnx", "2026-01-01T00:00:00", 1.0)
EXPORT = Export(1.0, 1, 1, 1, None, (), None, {})


def answers(*cases: tuple[int, Parity | None]) -> Observation:
    """By batch size what was answered; None is an error instead."""
    seen = [CaseChecked({"batch": size}, parity, None if parity else "RuntimeError: no") for size, parity in cases]
    return replace(SEEN, export=EXPORT, cases=tuple(seen))


def failed(stage: str, reason: str, message: str = "RuntimeError: no") -> Observation:
    return replace(SEEN, failure=Failure(stage, reason, message, 60.0))  # type: ignore[arg-type]


OBSERVED = [
    ("ok", answers((1, RIGHT), (4, RIGHT))),
    ("wrong_values", answers((1, WRONG), (4, WRONG))),
    ("wrong_values", replace(answers((1, RIGHT)), source=WRONG)),
    ("lost_dynamic_axis", answers((1, RIGHT), (4, None), (8, None))),
    ("lost_dynamic_axis", answers((1, None), (4, RIGHT), (8, RIGHT))),
    ("lost_dynamic_axis", replace(answers((1, RIGHT)), export=replace(EXPORT, fixed={"batch": 1}))),
    ("converter_error", failed("export", "converter_error")),
    ("converter_crash", failed("export", "converter_crash")),
    ("unsupported_operator", failed("export", "converter_error", "RuntimeError: Unknown builtin op: aten::odd")),
    ("does_not_load", failed("check", "converter_crash")),
    ("does_not_load", answers((1, None), (4, None))),
    ("too_slow", failed("export", "timeout")),
    ("not_observed", failed("host", "converter_error")),
    ("not_observed", failed("export", "out_of_memory")),
]


@pytest.mark.parametrize(("outcome", "seen"), OBSERVED)
def test_what_was_seen_has_its_outcome(outcome: str, seen: Observation) -> None:
    assert judge(seen, "fp32", is_pair=True).outcome == outcome


def fixing(batch: int, seen: Observation) -> Observation:
    return replace(seen, export=replace(EXPORT, fixed={"batch": batch}))


def test_a_fixed_size_is_a_lost_axis_only_where_the_artifact_is_right_at_it() -> None:
    lost = judge(fixing(1, answers((1, RIGHT), (4, None))), "fp32", is_pair=False)
    assert (lost.outcome, lost.detail) == ("lost_dynamic_axis", "the artifact declares batch = 1")
    failed = judge(fixing(1, answers((1, None), (4, None))), "fp32", is_pair=False)
    assert (failed.outcome, failed.cause) == ("does_not_load", "RuntimeError: no")
    assert failed.detail == "the artifact declares batch = 1, and fails there: RuntimeError: no"
    wrong = judge(fixing(1, answers((1, WRONG), (4, RIGHT))), "fp32", is_pair=False)
    assert (wrong.outcome, wrong.cause) == ("wrong_values", "deviates")


def test_an_operator_that_fails_at_the_fixed_size_is_the_cause() -> None:
    said = (
        "RuntimeError: Only update, Add, Multiply, Maximum and Minimum operations are currently supported for "
        "stablehlo.scatter.Node number 6 (STABLEHLO_SCATTER) failed to prepare."
    )
    seen = fixing(
        2, replace(SEEN, cases=(CaseChecked({"batch": 2}, None, said), CaseChecked({"batch": 9}, None, said)))
    )
    told = judge(seen, "fp32", is_pair=False)
    assert (told.outcome, told.operator) == ("unsupported_operator", "stablehlo.scatter")


def test_a_fixed_size_that_was_not_tried_is_told_as_such() -> None:
    told = judge(fixing(16, answers((1, None), (4, None))), "fp32", is_pair=False)
    assert told.outcome == "lost_dynamic_axis"
    assert told.detail == "the artifact declares batch = 16, and was not run at that"


@pytest.mark.parametrize("wrong", [WRONG, Parity("artifact", None, None, False, "output 'y' has 3 NaN or Inf values")])
@pytest.mark.parametrize(
    ("variant", "outcome"), [("fp32", "lost_dynamic_axis"), ("fp16", "wrong_values"), ("int8_dynamic", "wrong_values")]
)
def test_values_tell_of_a_lost_axis_in_fp32_only(variant: str, outcome: str, wrong: Parity) -> None:
    assert judge(answers((1, RIGHT), (4, wrong), (8, wrong)), variant, is_pair=False).outcome == outcome


def test_an_error_tells_of_a_lost_axis_in_any_precision() -> None:
    told = judge(answers((1, WRONG), (1, RIGHT), (4, RIGHT), (8, None)), "int8_static", is_pair=False)
    assert told.outcome == "lost_dynamic_axis"
    assert told.detail == "batch 1, 4 answered, 8 not: RuntimeError: no"


def test_every_outcome_but_skipped_is_judged_here() -> None:
    assert {outcome for outcome, _ in OBSERVED} == set(OUTCOMES) - {"skipped"}


def test_wrong_values_at_one_large_size_only_are_no_lost_axis() -> None:
    assert judge(answers((1, RIGHT), (4, WRONG)), "fp32", is_pair=True).outcome == "wrong_values"


@pytest.mark.parametrize(("value", "outcome"), [(0.9, "ok"), (0.7, "wrong_values"), (float("nan"), "wrong_values")])
def test_int8_of_a_pair_is_judged_by_its_quality(value: float, outcome: str) -> None:
    seen = replace(answers((1, WRONG), (4, WRONG)), quality=(Quality("accuracy", value, 0.95),))
    assert judge(seen, "int8_static", is_pair=True).outcome == outcome


@pytest.mark.parametrize("is_pair", [False, True])
def test_an_int8_artifact_with_nothing_in_8_bits_says_so(is_pair: bool) -> None:
    seen = replace(answers((1, RIGHT), (4, RIGHT)), quality=(Quality("accuracy", 0.9, 0.9),))
    untouched = replace(seen, export=replace(EXPORT, quantized=0))
    assert judge(untouched, "int8_static", is_pair=is_pair).detail == NOTHING_QUANTIZED
    assert judge(untouched, "fp32", is_pair=is_pair).detail is None
    assert judge(replace(seen, export=replace(EXPORT, quantized=3)), "int8_static", is_pair=is_pair).detail is None
    assert judge(seen, "int8_static", is_pair=is_pair).detail is None


def test_int8_of_a_hard_case_is_judged_by_its_values() -> None:
    assert judge(answers((1, WRONG)), "int8_static", is_pair=False).outcome == "wrong_values"
