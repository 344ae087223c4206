"""Parity is judged relative to the largest reference output, and what cannot be compared has failed."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.parity import TOLERANCE, Parity, compare, worst

REFERENCE = {"logits": np.array([[4.0, -8.0, 0.0]], np.float32)}


def answer(*values: float) -> dict[str, np.ndarray]:
    return {"logits": np.array([values], np.float32)}


def test_equal_answers_pass_without_error() -> None:
    assert compare(answer(4, -8, 0), REFERENCE) == Parity("artifact", 0.0, 0.0, True)


def test_the_error_is_relative_to_the_largest_output_and_not_to_each() -> None:
    parity = compare(answer(4, -8, 2**-12), REFERENCE, hop="served")
    assert parity == Parity("served", 2**-12, 2**-15, True)


def test_an_error_above_the_tolerance_fails_with_the_figure() -> None:
    parity = compare(answer(4, -8, 0.5), REFERENCE)
    assert not parity.passed
    assert parity.max_rel_error == 0.0625
    assert parity.reason == f"relative error 0.0625 is above {TOLERANCE:g}"


def test_a_wider_tolerance_is_the_callers_to_ask_for() -> None:
    assert compare(answer(4, -8, 0.5), REFERENCE, tolerance=0.1).passed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_fail(value: float) -> None:
    parity = compare(answer(4, -8, value), REFERENCE)
    assert (parity.passed, parity.reason) == (False, "output 'logits' has 1 NaN or Inf values")


def test_not_even_the_same_nan_on_both_sides_passes() -> None:
    parity = compare(answer(4, np.nan, 0), answer(4, np.nan, 0))
    assert not parity.passed


def test_a_reference_that_is_not_finite_fails() -> None:
    parity = compare(answer(4, 1, 0), answer(4, np.inf, 0))
    assert parity.reason == "reference 'logits' has 1 NaN or Inf values"


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"logits": np.zeros((1, 4), np.float32)}, "output 'logits' has shape (1, 4), expected (1, 3)"),
        ({"logits": np.zeros((1, 3), np.float64)}, "output 'logits' is float64, expected float32"),
        ({"scores": np.zeros((1, 3), np.float32)}, "output 'logits' is missing; found: scores"),
    ],
)
def test_what_cannot_be_subtracted_fails_with_a_reason(outputs: dict[str, np.ndarray], reason: str) -> None:
    assert compare(outputs, REFERENCE) == Parity("artifact", None, None, False, reason)


def test_a_reference_of_zeros_passes_zeros_only() -> None:
    assert compare(answer(0, 0, 0), answer(0, 0, 0)).passed
    assert not compare(answer(0, 0, 1e-9), answer(0, 0, 0)).passed


def test_every_tensor_counts() -> None:
    reference = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
    outputs = {"a": np.ones(2, np.float32), "b": np.zeros(2, np.float32)}
    assert compare(outputs, reference).max_rel_error == 1


def test_large_integers_are_subtracted_without_wrapping() -> None:
    top = np.array([0], np.uint8)
    assert compare({"n": top}, {"n": np.array([255], np.uint8)}).max_abs_error == 255


def test_the_worst_of_many_keeps_the_largest_error() -> None:
    small, large = Parity("served", 1e-7, 2e-7, True), Parity("served", 1e-6, 1e-7, True)
    assert worst([small, large]) == Parity("served", 1e-6, 2e-7, True)


def test_one_failure_fails_the_lot() -> None:
    failed = compare(answer(4, -8, np.nan), REFERENCE)
    assert worst([Parity("artifact", 0.0, 0.0, True), failed]) == failed


def test_no_comparison_is_no_proof() -> None:
    with pytest.raises(ValueError, match="no comparison to judge"):
        worst([])
