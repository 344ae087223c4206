"""Figures for people: three digits, never a false precision."""

from __future__ import annotations

import pytest

from pipelines.figures import duration, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.00012, "1.2e-04"),
        (0.2104, "0.210"),
        (1.005, "1.00"),
        (12.34, "12.3"),
        (99.999, "100"),
        (7721.3, "7,721"),
        (2.5e6, "2.5e+06"),
        (float("nan"), "nan"),
    ],
)
def test_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3900, "1 h 5 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
