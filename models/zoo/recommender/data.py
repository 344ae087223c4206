"""Requests as a shop makes them, drawn from a seed: few items get most of the attention.

Ids are ranks of popularity, as vocabularies sorted by frequency have them, drawn by Zipf's law; 0 stands for nothing.
An item has one category. A query is one user, of whom 32 candidate items are to be ranked.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from models.pair import Tensors

FEATURES, USERS, ITEMS, CATEGORIES = 13, 50_000, 50_000, 1_000
EXPONENT = 1.05
LONGEST = 50  # items of a history
CANDIDATES = 32
LOAD_SEED, EVALUATION_SEED = 1, 2
QUERIES = 32


def parity_inputs() -> list[Tensors]:
    """Batches of 1, 3, 8 and 32, histories of 1, 7, 20 and 50; among them the first and last ids, and no history."""
    rng = np.random.default_rng(LOAD_SEED)
    found = [_rows(rng, batch, longest) for batch, longest in ((1, 1), (1, 20), (3, 7), (8, 20), (8, 1), (32, LONGEST))]
    edges = _rows(rng, 3, 7)
    edges["user"][:2], edges["item"][:2], edges["history"][0] = (0, USERS - 1), (0, ITEMS - 1), 0
    return [*found, edges]


def load_inputs() -> list[Tensors]:
    """64 requests of one user and one item; histories of 1 to 50."""
    rng = np.random.default_rng(LOAD_SEED + 100)
    return [_rows(rng, 1, int(rng.integers(1, LONGEST + 1))) for _ in range(64)]


def evaluation_inputs() -> list[Tensors]:
    """32 queries of 32 different candidates each, which is a batch."""
    rng = np.random.default_rng(EVALUATION_SEED)
    return [_query(rng) for _ in range(QUERIES)]


def calibrating() -> Tensors:
    """2,048 rows over which the seeded weights are scaled; of other queries than the evaluation's."""
    return _rows(np.random.default_rng(LOAD_SEED + 200), 2048, 20)


def _rows(rng: np.random.Generator, batch: int, longest: int) -> Tensors:
    """Unrelated rows, the longest history of them of `longest`."""
    item = _zipf(rng, ITEMS, batch)
    history = _zipf(rng, ITEMS, (batch, longest))
    lengths = rng.integers(1, longest + 1, batch)
    lengths[0] = longest
    history[np.arange(longest) >= lengths[:, None]] = 0
    dense = rng.lognormal(0.0, 1.0, (batch, FEATURES))
    return {
        "dense": np.log1p(dense).astype(np.float32),  # counts and times, logarithms taken as DLRM does
        "user": _zipf(rng, USERS, batch),
        "item": item,
        "category": _category(item),
        "history": history,
    }


def _query(rng: np.random.Generator) -> Tensors:
    one = _rows(rng, 1, int(rng.integers(1, LONGEST + 1)))
    candidates = np.unique(_zipf(rng, ITEMS, 8 * CANDIDATES))
    one["item"] = rng.permutation(candidates)[:CANDIDATES]
    one["category"] = _category(one["item"])
    return {name: np.repeat(array, CANDIDATES // len(array), axis=0) for name, array in one.items()}


def _zipf(rng: np.random.Generator, ids: int, shape: int | tuple[int, ...]) -> np.ndarray:
    """int64, 1 to ids - 1; id r with a probability in proportion to r to the power of -1.05."""
    return np.searchsorted(_cumulated(ids), rng.random(shape)).astype(np.int64) + 1


@cache
def _cumulated(ids: int) -> np.ndarray:
    weights = np.arange(1, ids) ** -EXPONENT
    cumulated: np.ndarray = np.cumsum(weights) / weights.sum()
    cumulated[-1] = 1.0
    return cumulated


def _category(item: np.ndarray) -> np.ndarray:
    """int64, 0 to 999: scattered over the ranks by a multiplicative hash."""
    return item * 2_654_435_761 % 2**32 * CATEGORIES // 2**32
