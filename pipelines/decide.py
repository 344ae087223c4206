"""Which arms of a comparison differ, on which metric: every pair of them, by its paired blocks. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pipelines import stats
from pipelines.results import BlockFigures, Comparison

METRICS: tuple[str, ...] = get_args(Comparison.model_fields["metric"].annotation)


def comparisons(arms: Mapping[str, Sequence[BlockFigures]], workload: str) -> list[Comparison]:
    """Every pair of arms (by name) on every metric that all their paired blocks have, on one workload of one model.

    Blocks of the same round pair. A metric that one of the blocks lacks (too few requests for a percentile, say) is
    not compared: to leave out that block's round would leave out just those that went badly. Holm's family is the
    pairs of one metric; the 95 % interval is that of each comparison for itself.
    """
    return [found for metric in METRICS for found in _family(arms, workload, metric)]


def ratio(a: Sequence[BlockFigures], b: Sequence[BlockFigures], metric: str) -> stats.Ratio | None:
    """a/b of one metric over the rounds both have; None where there is none, or a block lacks the figure."""
    by_round = [{block.round: _figure(block, metric) for block in blocks} for blocks in (a, b)]
    paired = [tuple(figures[round_] for figures in by_round) for round_ in by_round[0] if round_ in by_round[1]]
    whole = [(x, y) for x, y in paired if x and y]
    if not whole or len(whole) < len(paired):
        return None
    return stats.paired_ratio([x for x, _ in whole], [y for _, y in whole])


def _family(arms: Mapping[str, Sequence[BlockFigures]], workload: str, metric: str) -> Iterator[Comparison]:
    pairs = list(itertools.combinations(arms, 2))
    ratios = [(a, b, found) for a, b in pairs if (found := ratio(arms[a], arms[b], metric)) is not None]
    tested = [found.p for _, _, found in ratios if found.p is not None]
    adjusted = iter(stats.holm(tested))
    for a, b, found in ratios:
        p = next(adjusted) if found.p is not None else None
        verdict = stats.verdict(found, p)
        yield Comparison.model_validate(
            {
                "workload": workload,
                "metric": metric,
                "a": a,
                "b": b,
                "ratio": found.ratio,
                "ci95": found.ci95,
                "blocks": found.pairs,
                "verdict": verdict,
                "p": p,
                "more_blocks": stats.more_blocks(found, len(tested)) if verdict == "inconclusive" else None,
            }
        )


def _figure(block: BlockFigures, metric: str) -> float | None:
    """The figure by its path; None where it is absent or 0, of which there is no ratio (no answer, no CPU tick)."""
    value: Any = block
    for name in metric.split("."):
        value = getattr(value, name)
    return float(value) if value else None
