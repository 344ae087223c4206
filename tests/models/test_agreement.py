"""Agreement counts images on which an artifact says what its source says."""

from __future__ import annotations

import numpy as np
import pytest

from models.agreement import accuracy, agreement
from models.pair import Tensors


def test_one_image_in_four_answered_otherwise_is_a_quarter() -> None:
    reference = [_batch(range(3)), _batch(range(3, 4))]
    answers = [_batch([0, 1, 5]), _batch([3])]
    top1, _ = agreement(answers, reference)
    assert (top1.metric, top1.value, top1.reference) == ("top1_agreement", 0.75, 1.0)


def test_the_best_five_agree_by_their_share_whatever_their_order() -> None:
    reference = [{"logits": np.arange(10.0)[None]}]
    same_set = [{"logits": np.array([[0, 1, 2, 3, 4, 9, 8, 7, 6, 5.0]])}]
    two_others = [{"logits": np.array([[0, 1, 2, 8, 9, 3, 4, 5, 6, 7.0]])}]
    assert [found.value for found in agreement(same_set, reference)] == [0.0, 1.0]
    assert [found.value for found in agreement(two_others, reference)] == [0.0, 0.6]


def test_a_missing_answer_is_an_error_and_not_a_lower_agreement() -> None:
    with pytest.raises(ValueError, match=r"expected logits of shape \(4, 10\), found \(3, 10\)"):
        agreement([_batch(range(3))], [_batch(range(4))])


def test_accuracy_is_the_artifacts_beside_its_sources() -> None:
    found = accuracy([_batch([0, 1]), _batch([2])], [_batch([0, 5]), _batch([5])], np.array([0, 1, 3]))
    assert (found.metric, found.value, found.reference) == ("top1_accuracy", 2 / 3, 1 / 3)


def _batch(classes: range | list[int]) -> Tensors:
    return {"logits": np.eye(10, dtype=np.float32)[list(classes)]}
