"""The recommender: seeded weights that rank, and requests of which few items get most."""

from __future__ import annotations

import numpy as np

from models import zoo
from models.pair import Tensors
from models.zoo.recommender import initialize
from models.zoo.recommender.quality import quality
from pipelines import artifacts


def test_making_twice_gives_the_same_weights() -> None:
    first, second = (initialize.initialized().state_dict() for _ in range(2))
    assert all(first[name].equal(second[name]) for name in first)


def test_it_has_the_parameters_it_says_it_has() -> None:
    pair = zoo.load("recommender")
    assert sum(parameter.numel() for parameter in pair.build("torch").parameters()) == 3_239_841
    assert "3,239,841 parameters" in pair.summary


def test_candidates_of_a_query_are_told_apart() -> None:
    """Else any order of them would agree with the source's."""
    outputs = [case.outputs["click_probability"] for case in artifacts.reference("recommender").evaluation]
    assert all(len(np.unique(scores)) >= 30 for scores in outputs)
    assert np.mean([scores.std() for scores in outputs]) > 0.02


def test_few_items_get_most_of_the_attention() -> None:
    ids = np.concatenate([case["history"].ravel() for case in zoo.load("recommender").load_inputs()])
    assert 0.3 < np.mean(ids[ids > 0] <= 500) < 0.9  # a hundredth of the items


def test_a_swap_of_neighbours_costs_one_pair_and_a_reversal_all() -> None:
    ranks = np.arange(20, dtype=np.float32)
    swapped = ranks.copy()
    swapped[[9, 10]] = swapped[[10, 9]]
    assert [found.value for found in quality([_query(swapped)], [_query(ranks)])] == [0.9, 189 / 190]
    assert [found.value for found in quality([_query(ranks[::-1])], [_query(ranks)])] == [0.0, 0.0]


def _query(scores: np.ndarray) -> Tensors:
    return {"click_probability": scores}
