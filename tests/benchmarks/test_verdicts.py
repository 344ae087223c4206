"""The trials of verdicts whose truth is known favour neither arm."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.truth_parts import verdicts
from benchmarks.truth_parts.verdicts import BASE, OTHER, places, to_base
from pipelines import burner
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


def trial(*comparisons: tuple[str, str, float]) -> dict[str, Any]:
    """As `verdicts` keeps one: metric, verdict and ratio of each comparison."""
    found = [
        compared(OTHER, BASE, ratio, (0.9, 1.1)).model_copy(update={"metric": metric, "verdict": said})
        for metric, said, ratio in comparisons
    ]
    return {"comparisons": [each.model_dump(mode="json") for each in found], "measured_s": 30.0}


EQUAL = trial(("cpu_ms_per_request", "equivalent", 1.0), ("latency_ms.p90", "inconclusive", 1.01))
OFF = trial(("cpu_ms_per_request", "equivalent", 1.0), ("latency_ms.p90", "different", 0.97))
FOUND = trial(("cpu_ms_per_request", "different", 1.05))
SPOILED = trial()


def rows(monkeypatch: pytest.MonkeyPatch, part: Any, trials: list[dict[str, Any]]) -> bool:
    """Whether the part's bar holds of 20 trials asked for, where these came."""
    monkeypatch.setattr(verdicts, "_trials", lambda *_: trials)
    monkeypatch.setattr(verdicts, "_costlier", lambda *_: (105, 1.05))
    monkeypatch.setattr(burner, "iterations_for", lambda _: 100)
    (row,) = part(None, verdicts.Trials(20, 60.0, 0.1))
    return bool(row.holds)


def test_one_of_twenty_equal_servers_may_differ_on_any_metric_and_two_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows(monkeypatch, verdicts.same, [EQUAL] * 19 + [OFF])
    assert not rows(monkeypatch, verdicts.same, [EQUAL] * 18 + [OFF] * 2)
    assert not rows(monkeypatch, verdicts.same, [EQUAL] * 18 + [OFF, FOUND])


def test_seventeen_of_twenty_slower_servers_must_be_found_on_a_headline_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    slower = trial(("latency_ms.p90", "different", 1.05))
    faster = trial(("cpu_ms_per_request", "different", 0.95))
    assert rows(monkeypatch, verdicts.slower, [FOUND] * 17 + [EQUAL] * 3)
    assert not rows(monkeypatch, verdicts.slower, [FOUND] * 16 + [EQUAL] * 4)
    assert not rows(monkeypatch, verdicts.slower, [FOUND] * 16 + [slower, faster] * 2)


def test_a_spoiled_trial_is_none_and_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not rows(monkeypatch, verdicts.same, [EQUAL] * 18 + [SPOILED] * 4)
    assert not rows(monkeypatch, verdicts.slower, [FOUND] * 19 + [SPOILED] * 3)
    assert rows(monkeypatch, verdicts.same, [EQUAL] * 20 + [SPOILED])
