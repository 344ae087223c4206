"""Whether two cells differ, on figures whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.stats import independent_ratio, paired_ratio


def blocks(seed: int, effect: float, sd: float, n: int) -> tuple[list[float], list[float]]:
    """Paired figures that share a round's drift, as interleaved blocks do; a is `effect` times b."""
    rng = np.random.default_rng(seed)
    drift = np.exp(rng.normal(0, 0.3, n))
    a = effect * drift * np.exp(rng.normal(0, sd, n))
    b = drift * np.exp(rng.normal(0, sd, n))
    return a.tolist(), b.tolist()


def test_the_same_server_twice_is_called_different_about_as_often_as_promised() -> None:
    verdicts = [paired_ratio(*blocks(seed, 1.0, 0.02, 6)).verdict for seed in range(400)]
    assert verdicts.count("different") / 400 < 0.075


def test_a_real_difference_is_found_through_a_drift_that_dwarfs_it() -> None:
    found = [paired_ratio(*blocks(seed, 1.10, 0.02, 6)) for seed in range(100)]
    assert sum(ratio.verdict == "different" and ratio.ratio > 1 for ratio in found) >= 95


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    found = [paired_ratio(*blocks(seed, 1.05, 0.03, 6)) for seed in range(400)]
    covered = sum(r.ci95 is not None and r.ci95[0] <= 1.05 <= r.ci95[1] for r in found)
    assert 0.92 <= covered / 400 <= 0.98


def test_a_difference_below_two_percent_decides_nothing() -> None:
    a, b = blocks(1, 1.01, 0.0001, 12)
    assert paired_ratio(a, b).verdict == "equivalent"


def test_two_blocks_give_a_ratio_without_an_interval() -> None:
    ratio = paired_ratio([2.0, 2.0], [1.0, 1.0])
    assert ratio.ratio == pytest.approx(2.0)
    assert (ratio.ci95, ratio.verdict) == (None, "inconclusive")


def test_swapping_the_cells_inverts_the_ratio() -> None:
    a, b = blocks(3, 1.2, 0.05, 8)
    there, back = paired_ratio(a, b), paired_ratio(b, a)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.verdict == back.verdict


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 2.0]), ([0.0, 1.0], [1.0, 1.0])])
def test_figures_that_cannot_be_compared_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match=r"pair|positive"):
        paired_ratio(a, b)


def test_cold_starts_far_apart_differ_and_overlapping_ones_do_not() -> None:
    assert independent_ratio([1.0, 1.1, 1.05], [5.0, 5.2, 5.1]).verdict == "different"
    assert independent_ratio([1.0, 2.0, 3.0], [1.5, 2.5, 2.0]).verdict == "inconclusive"
    assert independent_ratio([1.0], [5.0]).ci95 is None
