"""Whether an artifact ranks a query's candidates as its source does: a quality that needs no labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.pair import Quality, Tensors

BEST = 10


def quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    """Two means over the queries; the source agrees with itself, so its own value of both is 1.

    `top10_overlap`: share of the source's ten best candidates that are among the ten best found, in any order.
    `pairs_ordered`: share of the pairs of candidates, of those that the source does not hold equal, that are in the
    source's order; Kendall's tau is twice that less 1, where nothing is held equal.
    """
    found, expected = ([batch["click_probability"] for batch in side] for side in (outputs, reference))
    shapes = [[scores.shape for scores in side] for side in (found, expected)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"recommender: expected click_probability of shapes {shapes[1]}, found {shapes[0]}")
    queries = list(zip(found, expected, strict=True))
    return (
        Quality("top10_overlap", float(np.mean([_overlap(*query) for query in queries])), 1.0),
        Quality("pairs_ordered", float(np.mean([_ordered(*query) for query in queries])), 1.0),
    )


def _overlap(found: np.ndarray, expected: np.ndarray) -> float:
    best = (set(np.argsort(-scores, kind="stable")[:BEST]) for scores in (found, expected))
    return len(set.intersection(*best)) / BEST


def _ordered(found: np.ndarray, expected: np.ndarray) -> float:
    signs, should = (np.sign(scores[:, None] - scores[None, :]) for scores in (found, expected))
    return float(np.mean((signs == should)[should != 0]))
