"""A search finds the ceiling of simulated servers, noisy or not, and says so where there is none to find."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from pipelines.search import HIGHEST_RPS, LOWEST_RPS, Found, Tried, advance

Server = Callable[[float], bool]


def sharp(capacity_rps: float) -> Server:
    return lambda rate_rps: rate_rps <= capacity_rps


def noisy(capacity_rps: float, spread: float, seed: int) -> Server:
    """Holds half of the trials at its capacity, fewer above it; `spread` is that of a logistic in the log rate."""
    draw = random.Random(seed)
    return lambda rate_rps: draw.random() < 1 / (1 + (rate_rps / capacity_rps) ** (1 / spread))


def searched(server: Server, start_rps: float, replicates: int = 4) -> tuple[Found, list[Tried]]:
    tried: list[Tried] = []
    while not isinstance(ahead := advance(tried, start_rps, replicates), Found):
        tried.append(Tried(ahead, server(ahead)))
        assert len(tried) < 60
    return ahead, tried


@pytest.mark.parametrize("capacity_rps", [7.3, 199.0, 200.0, 205.0, 12_000.0])
@pytest.mark.parametrize("start_rps", [60.0, 170.0, 3000.0])
def test_a_sharp_ceiling_is_found_from_below_and_from_above(capacity_rps: float, start_rps: float) -> None:
    found, _ = searched(sharp(capacity_rps), start_rps)
    assert found.rps == pytest.approx(capacity_rps, rel=0.015)
    assert found.ci95
    assert found.ci95[0] <= capacity_rps <= found.ci95[1]


def test_a_search_from_half_the_ceiling_costs_about_a_dozen_trials() -> None:
    _, tried = searched(sharp(200.0), 90.0)
    assert len(tried) <= 14


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_ceiling_is_found_within_five_percent(seed: int) -> None:
    found, _ = searched(noisy(200.0, 0.01, seed), 90.0)
    assert found.rps == pytest.approx(200.0, rel=0.05)


@pytest.mark.parametrize("spread", [0.005, 0.01, 0.02])
def test_the_interval_covers_the_ceiling_as_often_as_it_says(spread: float) -> None:
    found = [searched(noisy(200.0 + seed, spread, seed), 70.0)[0] for seed in range(100)]
    covered = [each.ci95[0] <= 200.0 + seed <= each.ci95[1] for seed, each in enumerate(found) if each.ci95]
    assert sum(covered) >= 92


def test_the_interval_is_never_narrower_than_half_a_step_each_way() -> None:
    found, _ = searched(sharp(200.0), 90.0, replicates=40)
    assert found.rps
    assert found.ci95
    assert found.ci95[1] / found.ci95[0] >= 1.0148
    more, _ = searched(sharp(200.0), 90.0, replicates=4)
    assert more.ci95
    assert more.ci95[1] / more.ci95[0] >= found.ci95[1] / found.ci95[0]


def test_a_bracket_that_chance_misplaced_is_left_again() -> None:
    calls = iter(range(100))
    found, _ = searched(lambda rate_rps: rate_rps <= 200.0 and next(calls) != 1, 70.0)  # fails once, at 140
    assert found.rps == pytest.approx(200.0, rel=0.05)


def test_no_rate_holds() -> None:
    found, tried = searched(lambda _: False, 100.0)
    assert found.rps is None
    assert "does not hold the SLO" in (found.reason or "")
    assert tried[-1].rate_rps == LOWEST_RPS


def test_every_rate_holds() -> None:
    found, tried = searched(lambda _: True, 100.0)
    assert found.rps is None
    assert "highest rate that is tried" in (found.reason or "")
    assert found.at_least_rps == HIGHEST_RPS
    assert tried[-1].rate_rps == HIGHEST_RPS


def of_generator(server: Server, ceiling_rps: float) -> Found:
    tried: list[Tried] = []
    while not isinstance(ahead := advance(tried, 100.0, 4), Found):
        beyond = ahead > ceiling_rps
        tried.append(Tried(ahead, held=server(ahead) and not beyond, beyond_generator=beyond))
    return ahead


def test_the_generators_ceiling_is_not_taken_for_the_servers() -> None:
    found = of_generator(sharp(5000.0), ceiling_rps=1000.0)
    assert found.rps is None
    assert "the generator, not the server, is the bound" in (found.reason or "")
    assert 900 < (found.at_least_rps or 0) <= 1000


def test_a_ceiling_below_the_generators_is_found_all_the_same() -> None:
    assert of_generator(sharp(700.0), ceiling_rps=750.0).rps == pytest.approx(700.0, rel=0.02)


def test_the_same_trials_lead_to_the_same_next_one() -> None:
    _, tried = searched(noisy(200.0, 0.02, 1), 90.0)
    for count in range(len(tried)):
        ahead = advance(tried[:count], 90.0, 4)
        assert not isinstance(ahead, Found)
        assert math.isclose(ahead, tried[count].rate_rps)
