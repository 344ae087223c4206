"""The order of blocks: balanced, seeded, and the same however many rounds there will be."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations

import pytest

from pipelines.design import order, period, turn

SEED = (20, "digits_cnn", "steady")


def rounds(arms: str, count: int, seed: tuple[object, ...] = SEED) -> list[str]:
    return ["".join(order(arms, seed, round_)) for round_ in range(count)]


@pytest.mark.parametrize("arms", ["AB", "ABC", "ABCD", "ABCDE", "ABCDEF"])
def test_in_one_period_every_arm_has_every_place_and_follows_every_other_equally_often(arms: str) -> None:
    rows = rounds(arms, period(len(arms)))
    squares = len(rows) // len(arms)
    places = Counter((arm, place) for row in rows for place, arm in enumerate(row))
    assert places == Counter({(arm, place): squares for arm in arms for place in range(len(arms))})
    follows = Counter(pair for row in rows for pair in pairwise(row))
    assert follows == Counter(dict.fromkeys(permutations(arms, 2), squares))


@pytest.mark.parametrize("arms", ["A", "AB", "ABC", "ABCD"])
@pytest.mark.parametrize("copies", [1, 2, 3, 4, 6])
def test_every_copy_has_its_turn_equally_often_and_at_every_place_of_the_order(arms: str, copies: int) -> None:
    length = period(len(arms))
    turns = Counter((round_ % length, turn(len(arms), copies, round_)) for round_ in range(length * copies))
    assert turns == Counter({(at, copy): 1 for at in range(length) for copy in range(copies)})


@pytest.mark.parametrize("arms", ["AB", "ABC", "ABCD", "ABCDE"])
def test_every_second_round_mirrors_the_one_before(arms: str) -> None:
    rows = rounds(arms, 2 * period(len(arms)))
    assert all(odd == even[::-1] for even, odd in zip(rows[::2], rows[1::2], strict=True))


def test_two_arms_are_abba_with_either_first() -> None:
    rows = rounds("AB", 40)
    pairs = {first + second for first, second in zip(rows[::2], rows[1::2], strict=True)}
    assert pairs == {"ABBA", "BAAB"}


def test_another_seed_is_another_order() -> None:
    assert rounds("ABCD", 8) == rounds("ABCD", 8)
    assert rounds("ABCD", 8) != rounds("ABCD", 8, (21, *SEED[1:]))


def test_one_arm_has_an_order_too() -> None:
    assert rounds("A", 3) == ["A", "A", "A"]
