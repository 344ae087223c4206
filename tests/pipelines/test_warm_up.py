"""Warm-up ends when the last windows show no trend, and not before."""

from __future__ import annotations

import pytest

from pipelines.warm_up import Window, stationary


def windows(*cpu_ms: float | None) -> list[Window]:
    return [Window(value, p50_ms=10 * value if value else 1.0) for value in cpu_ms]


@pytest.mark.parametrize(
    ("cpu_ms", "warm"),
    [
        ((), False),
        ((1.0, 1.0, 1.0), False),
        ((1.0, 1.0, 1.0, 1.0), True),
        ((9.0, 5.0, 3.0, 1.5), False),
        ((9.0, 5.0, 1.0, 1.01, 0.99, 1.0), True),
        ((1.0, 1.3, 1.0, 1.3), True),
        ((1.0, 1.0, 1.06, 1.06), False),
    ],
)
def test_the_last_two_windows_are_held_against_the_two_before(cpu_ms: tuple[float, ...], warm: bool) -> None:
    assert stationary(windows(*cpu_ms)) is warm


def test_p50_decides_where_cpu_is_unknown() -> None:
    assert stationary([Window(None, p50) for p50 in (2.0, 2.0, 2.0, 2.0)])
    assert not stationary([Window(None, p50) for p50 in (4.0, 3.0, 2.0, 1.0)])


def test_windows_in_which_nothing_was_answered_are_no_evidence() -> None:
    assert not stationary([Window(None, None)] * 10)
    assert not stationary([*windows(1.0, 1.0, 1.0), Window(None, None)])
