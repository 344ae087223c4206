"""The digits: a split that keeps its word, and a source worth comparing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from models import zoo
from models.zoo.digits_cnn import data, train
from pipelines import artifacts


def test_the_source_reads_digits_it_never_saw() -> None:
    outputs = [case.outputs for case in artifacts.reference("digits_cnn").evaluation]
    (accuracy,) = zoo.load("digits_cnn").quality(outputs, outputs)
    assert accuracy.metric == "accuracy"
    assert accuracy.value >= 0.97


def test_no_held_out_image_is_trained_on() -> None:
    (training, _), (held_out, digits) = data.training(), data.held_out()
    assert (len(training), len(held_out)) == (1437, 360)
    assert set(digits) == set(range(10))
    assert not {image.tobytes() for image in training} & {image.tobytes() for image in held_out}


def test_accuracy_counts_right_answers() -> None:
    _, digits = data.held_out()
    right = [{"logits": np.eye(10, dtype=np.float32)[digits]}]
    wrong = [{"logits": np.eye(10, dtype=np.float32)[(digits + 1) % 10]}]
    (accuracy,) = zoo.load("digits_cnn").quality(wrong, right)
    assert (accuracy.value, accuracy.reference) == (0.0, 1.0)


def test_a_missing_answer_is_an_error_and_not_a_lower_accuracy() -> None:
    _, digits = data.held_out()
    outputs = [{"logits": np.eye(10, dtype=np.float32)[digits[1:]]}]
    with pytest.raises(ValueError, match="expected outputs for 360 held-out images, found 359"):
        zoo.load("digits_cnn").quality(outputs, outputs)


@pytest.fixture
def one_epoch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Training sets torch up for the whole process, which other tests share."""
    import torch

    threads = torch.get_num_threads()
    monkeypatch.setattr(train, "EPOCHS", 1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("one_epoch")
def test_training_twice_gives_the_same_weights() -> None:
    first, second = train.train().state_dict(), train.train().state_dict()
    assert all(first[name].equal(second[name]) for name in first)
