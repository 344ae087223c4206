"""The photographs: real ones, never in two sets, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from models import photographs


@pytest.fixture(scope="module")
def load() -> np.ndarray:
    return photographs.load_images()


@pytest.fixture(scope="module")
def evaluation() -> np.ndarray:
    return photographs.evaluation_images()


def test_no_photograph_is_in_two_sets(load: np.ndarray, evaluation: np.ndarray) -> None:
    assert not set(photographs.LOAD) & set(photographs.EVALUATION)
    assert len({image.tobytes() for image in (*load, *evaluation)}) == len(load) + len(evaluation) == 144


def test_neighbours_are_of_different_photographs(load: np.ndarray) -> None:
    for image, name in zip(load, photographs.LOAD, strict=False):
        np.testing.assert_array_equal(image, photographs.whole(name)[0])


def test_the_images_are_the_same_every_time(load: np.ndarray) -> None:
    np.testing.assert_array_equal(photographs.load_images(), load)


def test_every_image_shows_something(load: np.ndarray, evaluation: np.ndarray) -> None:
    for images in (load, evaluation):
        assert images.std(axis=(1, 2, 3)).min() > 0.1


def test_pixels_are_normalized_as_imagenets(load: np.ndarray) -> None:
    """A white pixel is at most (1 - mean) / deviation, a black one -mean / deviation, channel by channel."""
    for channel, (mean, deviation) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        assert load[:, channel].min() == pytest.approx(-mean / deviation, abs=1e-5)
        assert load[:, channel].max() == pytest.approx((1 - mean) / deviation, abs=1e-5)


def test_an_absent_photograph_says_what_to_do() -> None:
    with pytest.raises(FileNotFoundError, match=r"^photograph no\.png: in none of .*; make setup$"):
        photographs.whole("no.png")
