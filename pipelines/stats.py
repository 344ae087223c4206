"""Whether two cells differ: trimmed paired t on the log-ratio of interleaved blocks, and how many that takes. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Verdict = Literal["different", "equivalent", "inconclusive"]

SIGNIFICANCE = 0.05
DIFFERENT_EFFECT = 0.02
"""A smaller effect is not called different, however sure: it decides nothing."""
EQUIVALENT_BAND = 0.025
"""Equivalent: the 90 % interval lies within ±2.5 % (two one-sided tests at 5 %, Schuirmann 1987)."""
POWER = 0.80
TRIM = 0.10
"""Of the pairs' ln(a/b), what is left out of their mean at either end; of fewer than ten pairs, none."""
SURE = 0.80
"""One-sided confidence that the spread is no wider than a pilot says, for sizing what follows it."""
MIN_PAIRS = 3
LEAST_BLOCKS = 6
"""Of fewer, the spread is too uncertain for an interval worth having: t(4) is 2.78, t(5) 2.57, t(∞) 1.96."""
MOST_BLOCKS = 100_000
"""More would be no advice."""
_Z = NormalDist().inv_cdf


@dataclass(frozen=True)
class Ratio:
    """a/b with what its spread allows to say. Intervals and p belong to this comparison alone, corrected for nothing.

    With fewer than three pairs they are None.
    """

    ratio: float
    ci95: tuple[float, float] | None
    ci90: tuple[float, float] | None
    p: float | None
    """Two-sided, of ratio 1."""
    pairs: int
    sd_log: float | None
    """Spread of the pairs' ln(a/b), √pairs times the standard error; None also where figures do not pair."""


def paired_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """The ratio of two cells' figures, pair by pair of blocks measured in the same round.

    With d_i = ln(a_i/b_i) of n pairs, g = ⌊n · `TRIM`⌋ and m the mean of d without its g smallest and g largest:
    ratio = exp(m), interval = exp(m ± t(n-2g-1) · s/√n), and p of t = m / (s/√n), where s = sd(w) / (1 - 2g/n) and w
    is d with those 2g put where the outermost of the others are (K. K. Yuen, 1974, for pairs): a machine that is slow
    now and then is so for one of the two only in some rounds. Under ten pairs it is the plain paired t. Pooling the
    requests of all blocks instead calls identical servers different in most trials, because requests of one block are
    not independent. Raises `ValueError` for figures that are not positive or do not pair.
    """
    from scipy import stats

    if len(a) != len(b) or not a:
        raise ValueError(f"figures do not pair: {len(a)} and {len(b)}")
    if min(*a, *b) <= 0:
        raise ValueError("a ratio needs positive figures")
    logs = sorted(math.log(x / y) for x, y in zip(a, b, strict=True))
    n, trimmed = len(logs), _trimmed(len(logs))
    inner = logs[trimmed : n - trimmed]
    mean = math.fsum(inner) / len(inner)
    if n < MIN_PAIRS:
        return Ratio(math.exp(mean), None, None, None, n, None)
    sd = statistics.stdev([inner[0]] * trimmed + inner + [inner[-1]] * trimmed) * n / len(inner)
    error = sd / math.sqrt(n)
    degrees = _degrees(n)

    def interval(confidence: float) -> tuple[float, float]:
        half = float(stats.t.ppf(0.5 + confidence / 2, degrees)) * error
        return math.exp(mean - half), math.exp(mean + half)

    t = abs(mean) / error if error else math.inf if mean else 0.0
    return Ratio(math.exp(mean), interval(0.95), interval(0.90), 2 * float(stats.t.sf(t, degrees)), n, sd)


def independent_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """The ratio of two sets of repeated figures that do not pair (cold starts, say): Welch's t on their logarithms.

    `pairs` is the smaller number of figures. Raises `ValueError` for figures that are not positive.
    """
    from scipy import stats

    if not a or not b or min(*a, *b) <= 0:
        raise ValueError("a ratio needs positive figures on both sides")
    x, y = [math.log(v) for v in a], [math.log(v) for v in b]
    ratio, n = math.exp(math.fsum(x) / len(x) - math.fsum(y) / len(y)), min(len(x), len(y))
    if n < MIN_PAIRS:
        return Ratio(ratio, None, None, None, n, None)
    test = stats.ttest_ind(x, y, equal_var=False)

    def interval(confidence: float) -> tuple[float, float]:
        low, high = test.confidence_interval(confidence)
        return math.exp(low), math.exp(high)

    return Ratio(ratio, interval(0.95), interval(0.90), float(test.pvalue), n, None)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of one family, in the order given: rejecting those below 5 % errs in 5 % of families at most.

    The i-th smallest of m is multiplied by m - i + 1, and none is smaller than the one before it (S. Holm, 1979).
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = least
    return adjusted


def verdict(found: Ratio, p_adjusted: float | None) -> Verdict:
    """Different: p, adjusted for the family, below 5 % and an effect of 2 % or more; equivalent: 90 % within ±2.5 %.

    Otherwise inconclusive: "not significant" is not "equal". Equivalence needs no adjustment for the family, because
    to miss it costs nothing but a longer measurement.
    """
    if p_adjusted is None or found.ci90 is None:
        return "inconclusive"
    if p_adjusted < SIGNIFICANCE and _effect(found) >= DIFFERENT_EFFECT:
        return "different"
    low, high = found.ci90
    return "equivalent" if low >= 1 - EQUIVALENT_BAND and high <= 1 + EQUIVALENT_BAND else "inconclusive"


def blocks_for(sd_log: float) -> int:
    """How many paired blocks call equal servers *equivalent* in 80 % of trials, and at least `LEAST_BLOCKS`.

    The smallest n with (t.95(ν) + t.90(ν)) · sd / √n ≤ ln 1.025, ν the degrees of freedom of n pairs: t.95 standard
    errors are half the 90 % interval, and the estimate lies t.90 more off, to either side, in 20 of 100 trials. It is
    the stricter of the two ends: a difference of 5 %, at which p < 5 % asks for t.975 + t.80 errors, is then found all
    but always. `sd_log` is the spread of the pairs' ln(a/b).
    """
    from scipy import stats

    distance = math.log1p(EQUIVALENT_BAND)
    normal = _Z(1 - SIGNIFICANCE) + _Z((1 + POWER) / 2)
    n = max(LEAST_BLOCKS, math.ceil((normal * sd_log / distance) ** 2))  # for large n; t asks for a few more
    while sum(stats.t.ppf([1 - SIGNIFICANCE, (1 + POWER) / 2], _degrees(n))) * sd_log > distance * math.sqrt(n):
        n += 1
    return n


def sd_bound(sd_log: float, pairs: int) -> float:
    """What the true spread stays below in `SURE` of cases where that of so few pairs is `sd_log`.

    sd · √(ν / χ²(ν) quantile of 1 - `SURE`), ν their degrees of freedom: a number of blocks sized by the spread as seen
    misses its power in more than half of all trials (R. H. Browne, 1995).
    """
    from scipy import stats

    degrees = _degrees(pairs)
    return sd_log * math.sqrt(degrees / float(stats.chi2.ppf(1 - SURE, degrees)))


def more_blocks(found: Ratio, family: int = 1) -> int | None:
    """How many more blocks of each would decide an inconclusive ratio; None where its spread is not known, or no number
    up to `MOST_BLOCKS` would.

    At the spread seen, and were the ratio seen the true one: the least n of which it is decided in 80 % of trials,
    either way, as `power` has it. Different is judged at Holm's strictest level, 5 % over the `family`'s comparisons.
    """
    if found.sd_log is None:
        return None
    mean, sd_log = math.log(found.ratio), found.sd_log
    low, high = found.pairs, found.pairs + 1
    while power(mean, sd_log, high, family) < POWER:
        low, high = high, 2 * high
        if high > MOST_BLOCKS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if power(mean, sd_log, middle, family) < POWER else (low, middle)
    return high - found.pairs


def power(mean_log: float, sd_log: float, pairs: int, family: int = 1) -> float:
    """In how many of so many trials with so many pairs a ratio of exp(`mean_log`) is decided, either way.

    With se = sd/√n and F Student's distribution at ν degrees of freedom: *different* where the estimate is beyond both
    t.(1 - 5 %/family/2) · se and ln 1.02, so in F((|mean| - the larger of them)/se); *equivalent* where its 90 %
    interval is within ±2.5 %, so in F(U/se - t.95) + F(L/se - t.95) - 1, U and L the ways from the mean to either end.
    """
    from scipy import stats

    if not sd_log:
        return 1.0
    degrees, error = _degrees(pairs), sd_log / math.sqrt(pairs)
    strictest, one_sided = stats.t.ppf([1 - SIGNIFICANCE / family / 2, 1 - SIGNIFICANCE], degrees)
    least = max(float(strictest) * error, math.log1p(DIFFERENT_EFFECT))
    up, down = math.log1p(EQUIVALENT_BAND) - mean_log, mean_log - math.log1p(-EQUIVALENT_BAND)
    different, within_up, within_down = stats.t.cdf(
        [(abs(mean_log) - least) / error, up / error - one_sided, down / error - one_sided], degrees
    )
    return float(different + max(0.0, within_up + within_down - 1))


def _trimmed(pairs: int) -> int:
    """How many are trimmed at either end."""
    return int(pairs * TRIM)


def _degrees(pairs: int) -> int:
    """Degrees of freedom of a spread of so many pairs."""
    return pairs - 2 * _trimmed(pairs) - 1


def _effect(found: Ratio) -> float:
    """How far from 1, the same for a/b and b/a."""
    return max(found.ratio, 1 / found.ratio) - 1
