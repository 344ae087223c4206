"""ResNet-18: random weights that still answer as a trained model's would, and the same ones every time."""

from __future__ import annotations

import numpy as np
import pytest

from models import photographs, zoo
from models.pair import Tensors
from models.zoo.resnet18 import initialize
from pipelines import artifacts


def test_making_twice_gives_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initialize, "BATCH", 2)
    first, second = (initialize.initialized().state_dict() for _ in range(2))
    assert all(first[name].equal(second[name]) for name in first)


def test_activations_neither_fade_nor_explode() -> None:
    import torch

    module = zoo.load("resnet18").build("torch")
    deviations = []
    for stage in (module.layer1, module.layer2, module.layer3, module.layer4):
        stage.register_forward_hook(lambda _stage, _inputs, output: deviations.append(float(output.std())))
    with torch.inference_mode():
        module(torch.from_numpy(photographs.evaluation_images()[:8]))
    assert len(deviations) == 4
    assert 0.3 < min(deviations) < max(deviations) < 3


def test_logits_are_as_large_as_a_trained_models() -> None:
    logits = np.concatenate([batch["logits"] for batch in _evaluation()])
    assert 1 < logits.std() < 5


def test_photographs_are_told_apart() -> None:
    """Else an artifact that answers one class to everything would agree with its source."""
    best = np.concatenate([batch["logits"].argmax(axis=1) for batch in _evaluation()])
    assert len(set(best)) >= 16


def test_it_has_the_parameters_it_says_it_has() -> None:
    pair = zoo.load("resnet18")
    assert sum(parameter.numel() for parameter in pair.build("torch").parameters()) == 11_689_512
    assert "11,689,512 parameters" in pair.summary


def _evaluation() -> list[Tensors]:
    return [case.outputs for case in artifacts.reference("resnet18").evaluation]
