"""Whether two cells differ: paired t on the log-ratio of interleaved blocks. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

DIFFERENT_EFFECT = 0.02
"""A smaller effect is not called different, however sure: it decides nothing."""
EQUIVALENT_BAND = 0.025
"""Equivalent: the 90 % interval lies within ±2.5 % (two one-sided tests at 5 %, Schuirmann 1987)."""
MIN_PAIRS = 3


@dataclass(frozen=True)
class Ratio:
    """a/b with its 95 % confidence interval (None with fewer than three pairs) and what it allows to say."""

    ratio: float
    ci95: tuple[float, float] | None
    pairs: int
    verdict: Literal["different", "equivalent", "inconclusive"]


def paired_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """The ratio of two cells' figures, pair by pair of blocks measured in the same round.

    With d_i = ln(a_i/b_i): ratio = exp(mean d), interval = exp(mean d ± t(n-1) · sd(d)/√n). Pooling the requests of
    all blocks instead calls identical servers different in most trials, because requests of one block are not
    independent. Raises `ValueError` for figures that are not positive or do not pair.
    """
    from scipy import stats

    if len(a) != len(b) or not a:
        raise ValueError(f"figures do not pair: {len(a)} and {len(b)}")
    if min(*a, *b) <= 0:
        raise ValueError("a ratio needs positive figures")
    logs = [math.log(x / y) for x, y in zip(a, b, strict=True)]
    n, mean = len(logs), math.fsum(logs) / len(logs)
    if n < MIN_PAIRS:
        return Ratio(math.exp(mean), None, n, "inconclusive")
    error = math.sqrt(math.fsum((d - mean) ** 2 for d in logs) / (n - 1) / n)

    def interval(confidence: float) -> tuple[float, float]:
        half = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * error
        return math.exp(mean - half), math.exp(mean + half)

    low, high = interval(0.95)
    low90, high90 = interval(0.90)
    verdict: Literal["different", "equivalent", "inconclusive"] = "inconclusive"
    if not low <= 1 <= high and abs(math.exp(abs(mean)) - 1) >= DIFFERENT_EFFECT:
        verdict = "different"
    elif low90 >= 1 - EQUIVALENT_BAND and high90 <= 1 + EQUIVALENT_BAND:
        verdict = "equivalent"
    return Ratio(math.exp(mean), (low, high), n, verdict)


def independent_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """The ratio of two sets of repeated figures that do not pair (cold starts, say): Welch's t on their logarithms.

    The verdict follows the same rule as `paired_ratio`; `pairs` is the smaller number of figures. Raises `ValueError`
    for figures that are not positive.
    """
    from scipy import stats

    if not a or not b or min(*a, *b) <= 0:
        raise ValueError("a ratio needs positive figures on both sides")
    x, y = [math.log(v) for v in a], [math.log(v) for v in b]
    mean = math.fsum(x) / len(x) - math.fsum(y) / len(y)
    if min(len(x), len(y)) < MIN_PAIRS:
        return Ratio(math.exp(mean), None, min(len(x), len(y)), "inconclusive")
    test = stats.ttest_ind(x, y, equal_var=False)
    low, high = (math.exp(limit) for limit in test.confidence_interval(0.95))
    sure = not low <= 1 <= high and abs(math.exp(abs(mean)) - 1) >= DIFFERENT_EFFECT
    return Ratio(math.exp(mean), (low, high), min(len(x), len(y)), "different" if sure else "inconclusive")
