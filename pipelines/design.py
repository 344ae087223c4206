"""In which order the arms of a comparison are measured, round by round: ABBA for two, Latin squares beyond. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def period(arms: int) -> int:
    """The rounds after which every arm had every place once (twice for an odd number), and followed every other."""
    return arms if arms % 2 == 0 or arms == 1 else 2 * arms


def order(arms: Sequence[T], seed_parts: Sequence[object], round_: int) -> list[T]:
    """The order of the arms in a round: it depends on the arms, the seed and the round, not on how many rounds follow.

    Rows of a Williams square (E. J. Williams, 1949): over `period` rounds every arm stands in every place, and
    directly behind every other arm, equally often, so neither a place in the round nor what the arm before left behind
    favours one. The rows come in mirrored pairs, A B C D with D C B A: drift within a round is cancelled after two
    rounds already, and with two arms this is ABBA. Which arm has which letter, the order of the pairs, and which row
    of a pair comes first are drawn from `seed_parts`, anew in every period.

    Of an arm that drops out, leave out its place: the order of the others stays.
    """
    period_, at = divmod(round_, period(len(arms)))
    draw = random.Random("/".join(map(str, (*seed_parts, period_))))
    letters = draw.sample(list(arms), len(arms))
    pairs = _mirrored_pairs(len(arms))
    draw.shuffle(pairs)
    rows = [row for pair in pairs for row in draw.sample(pair, len(pair))]
    return [letters[index] for index in rows[at]]


def turn(arms: int, copies: int, round_: int) -> int:
    """Which copy of every arm is measured in a round, from 0: each in turn, and in every place of the order alike."""
    period_, at = divmod(round_, period(arms))
    return (at + period_) % copies


def _mirrored_pairs(n: int) -> list[list[list[int]]]:
    """The rows of a Williams design of n letters, each beside its mirror image.

    The first row is 0, n-1, 1, n-2, …, whose neighbouring differences are all different modulo n; the others add a
    constant. For even n the upper half's mirror images are the lower half; for odd n they are a second square.
    """
    if n < 2:
        return [[list(range(n))]]
    first = [-(place // 2) - 1 if place % 2 else place // 2 for place in range(n)]
    rows = [[(index + shift) % n for index in first] for shift in range(n if n % 2 else n // 2)]
    return [[row, row[::-1]] for row in rows]
