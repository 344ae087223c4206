"""The trials of verdicts whose truth is known favour neither arm."""

from __future__ import annotations

import pytest

from benchmarks.truth_parts.verdicts import BASE, OTHER, places, to_base
from pipelines.results import Comparison


def compared(a: str, b: str, ratio: float, ci95: tuple[float, float] | None) -> Comparison:
    fields = {"workload": "trial", "metric": "cpu_ms_per_request", "a": a, "b": b, "ratio": ratio, "ci95": ci95}
    return Comparison.model_validate(fields | {"blocks": 8, "verdict": "different", "p": 0.01, "more_blocks": None})


def test_each_arm_is_started_first_and_listed_first_equally_often_and_independently() -> None:
    four = [places(number) for number in range(4)]
    assert {(started[0], listed[0]) for started, listed in four} == {
        (first, second) for first in (BASE, OTHER) for second in (BASE, OTHER)
    }
    assert all(set(order) == {BASE, OTHER} for places_ in four for order in places_)
    assert [places(number + 4) for number in range(4)] == four


def test_a_comparison_reads_other_to_base_whichever_was_listed_first() -> None:
    there = compared(OTHER, BASE, 1.05, (1.02, 1.08))
    back = to_base(compared(BASE, OTHER, 1 / 1.05, (1 / 1.08, 1 / 1.02)))
    assert to_base(there) == there
    assert (back.a, back.b) == (OTHER, BASE)
    assert back.ratio == pytest.approx(1.05)
    assert back.ci95 == pytest.approx((1.02, 1.08))
    assert to_base(compared(BASE, OTHER, 0.5, None)).ci95 is None
