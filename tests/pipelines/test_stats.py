"""Whether two cells differ, on figures whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.stats import (
    Ratio,
    Verdict,
    blocks_for,
    holm,
    independent_ratio,
    more_blocks,
    paired_ratio,
    sd_bound,
    verdict,
)


def blocks(seed: int, effect: float, sd: float, n: int) -> tuple[list[float], list[float]]:
    """Paired figures that share a round's drift, as interleaved blocks do; a is `effect` times b."""
    rng = np.random.default_rng(seed)
    drift = np.exp(rng.normal(0, 0.3, n))
    a = effect * drift * np.exp(rng.normal(0, sd, n))
    b = drift * np.exp(rng.normal(0, sd, n))
    return a.tolist(), b.tolist()


def alone(a: list[float], b: list[float]) -> Verdict:
    """The verdict on a pair that is its whole family."""
    found = paired_ratio(a, b)
    return verdict(found, found.p)


def test_the_same_server_twice_is_called_different_about_as_often_as_promised() -> None:
    verdicts = [alone(*blocks(seed, 1.0, 0.02, 6)) for seed in range(400)]
    assert verdicts.count("different") / 400 < 0.075


def test_a_real_difference_is_found_through_a_drift_that_dwarfs_it() -> None:
    found = [blocks(seed, 1.10, 0.02, 6) for seed in range(100)]
    assert sum(alone(a, b) == "different" and paired_ratio(a, b).ratio > 1 for a, b in found) >= 95


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    found = [paired_ratio(*blocks(seed, 1.05, 0.03, 6)) for seed in range(400)]
    covered = sum(r.ci95 is not None and r.ci95[0] <= 1.05 <= r.ci95[1] for r in found)
    assert 0.92 <= covered / 400 <= 0.98


def test_a_difference_below_two_percent_decides_nothing() -> None:
    a, b = blocks(1, 1.01, 0.0001, 12)
    assert alone(a, b) == "equivalent"


def test_two_blocks_give_a_ratio_without_an_interval() -> None:
    ratio = paired_ratio([2.0, 2.0], [1.0, 1.0])
    assert ratio.ratio == pytest.approx(2.0)
    assert (ratio.ci95, ratio.p, verdict(ratio, ratio.p)) == (None, None, "inconclusive")
    assert more_blocks(ratio) is None


def test_swapping_the_cells_inverts_the_ratio() -> None:
    a, b = blocks(3, 1.2, 0.05, 8)
    there, back = paired_ratio(a, b), paired_ratio(b, a)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.p == pytest.approx(back.p)
    assert alone(a, b) == alone(b, a)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 2.0]), ([0.0, 1.0], [1.0, 1.0])])
def test_figures_that_cannot_be_compared_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match=r"pair|positive"):
        paired_ratio(a, b)


def test_cold_starts_far_apart_differ_and_overlapping_ones_do_not() -> None:
    far, near = (
        independent_ratio([1.0, 1.1, 1.05], [5.0, 5.2, 5.1]),
        independent_ratio([1.0, 2.0, 3.0], [1.5, 2.5, 2.0]),
    )
    assert verdict(far, far.p) == "different"
    assert verdict(near, near.p) == "inconclusive"
    assert independent_ratio([1.0], [5.0]).ci95 is None


def test_p_is_below_five_percent_just_where_the_interval_excludes_one() -> None:
    for seed in range(50):
        found = paired_ratio(*blocks(seed, 1.02, 0.03, 8))
        assert found.ci95 is not None
        assert found.p is not None
        assert (found.p < 0.05) == (not found.ci95[0] <= 1 <= found.ci95[1])


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_six_pairs_of_the_same_server_seldom_have_one_called_different() -> None:
    def family(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        four = np.exp(rng.normal(0, 0.03, (4, 8)))
        found = [paired_ratio(four[i].tolist(), four[j].tolist()) for i in range(4) for j in range(i)]
        adjusted = holm([ratio.p or 0.0 for ratio in found])
        return any(verdict(ratio, p) == "different" for ratio, p in zip(found, adjusted, strict=True))

    assert sum(map(family, range(300))) / 300 < 0.08


@pytest.mark.parametrize(("sd", "blocks_"), [(0.0, 6), (0.02, 8), (0.05, 38), (0.10, 143)])
def test_the_blocks_asked_for_grow_with_the_square_of_the_spread(sd: float, blocks_: int) -> None:
    assert blocks_for(sd) == blocks_


def test_the_blocks_asked_for_tell_equal_cells_as_often_as_promised_and_five_percent_almost_always() -> None:
    rng = np.random.default_rng(0)

    def told(effect: float, trials: int = 400) -> list[Verdict]:
        n = blocks_for(0.04)
        drawn = (effect * np.exp(rng.normal(0, 0.04, (trials, n)))).tolist()
        return [alone(trial, [1.0] * n) for trial in drawn]

    equal = told(1.0)
    assert 0.72 <= equal.count("equivalent") / 400 <= 0.88
    assert equal.count("different") / 400 <= 0.03
    assert told(1.05).count("different") / 400 >= 0.98


def test_a_machine_slow_for_one_of_two_in_some_rounds_costs_less_than_half_the_precision_it_would() -> None:
    rng = np.random.default_rng(0)
    noise = np.exp(rng.normal(0, 0.03, (200, 100)) + rng.choice([-0.3, 0, 0.3], p=[0.05, 0.9, 0.05], size=(200, 100)))
    found = [paired_ratio(trial.tolist(), [1.0] * 100) for trial in noise]
    estimates = np.log([each.ratio for each in found])
    assert estimates.std() < 0.5 * np.log(noise).mean(axis=1).std()
    covered = [each.ci95 is not None and each.ci95[0] <= 1 <= each.ci95[1] for each in found]
    assert 0.91 <= np.mean(covered) <= 0.99


def test_the_bound_of_a_pilots_spread_holds_the_true_one_in_four_of_five_cases() -> None:
    pilots = np.random.default_rng(0).normal(0, 0.05, (2000, 4)).std(axis=1, ddof=1)
    assert 0.77 <= np.mean([sd_bound(float(sd), 4) >= 0.05 for sd in pilots]) <= 0.83


@pytest.mark.parametrize(
    ("ratio", "pairs", "family"), [(1.05, 6, 1), (1.05, 6, 6), (1.04, 12, 6), (1.0, 6, 1), (1.01, 8, 6)]
)
def test_so_many_more_blocks_decide_four_of_five_trials(ratio: float, pairs: int, family: int) -> None:
    sd_log = 0.06
    more = more_blocks(Ratio(ratio, (0.9, 1.1), (0.9, 1.1), 0.2, pairs, sd_log), family)
    assert more is not None
    n, rng = pairs + more, np.random.default_rng(0)
    trials = [np.exp(rng.normal(np.log(ratio), sd_log, n)).tolist() for _ in range(600)]
    found = [paired_ratio(trial, [1.0] * n) for trial in trials]
    decided = [verdict(each, min(1.0, family * each.p)) for each in found if each.p is not None]
    assert 0.73 <= 1 - decided.count("inconclusive") / 600 <= 0.87


def test_a_number_that_nobody_would_measure_is_none() -> None:
    assert more_blocks(Ratio(1.0, (0.1, 9.0), (0.1, 9.0), 0.2, 6, 9.0)) is None
    assert more_blocks(Ratio(1.0, None, None, None, 2, None)) is None


def test_a_larger_family_needs_more_blocks() -> None:
    found = paired_ratio([1.05, 1.2, 0.95, 1.1], [1.0] * 4)
    alone_, in_family = more_blocks(found), more_blocks(found, family=6)
    assert alone_ is not None
    assert in_family is not None
    assert alone_ < in_family
