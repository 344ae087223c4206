"""How far a classifier's answers are those of its source, which needs no labels, and how far they are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.pair import Quality, Tensors


def agreement(outputs: Sequence[Tensors], reference: Sequence[Tensors], name: str = "logits") -> tuple[Quality, ...]:
    """Two metrics over all images of the batches; the source agrees with itself, so its own value of both is 1.

    `top1_agreement`: share of the images whose best class is the source's best class.
    `top5_agreement`: mean share of the source's five best classes that are among the five best found, in any order.
    """
    found, expected = (np.concatenate([batch[name] for batch in batches]) for batches in (outputs, reference))
    if found.shape != expected.shape:
        raise ValueError(f"expected {name} of shape {expected.shape}, found {found.shape}")
    return (
        Quality("top1_agreement", float(np.mean(found.argmax(axis=1) == expected.argmax(axis=1))), 1.0),
        Quality("top5_agreement", _shared(_best(found, 5), _best(expected, 5)), 1.0),
    )


def accuracy(
    outputs: Sequence[Tensors], reference: Sequence[Tensors], classes: np.ndarray, name: str = "logits"
) -> Quality:
    """`top1_accuracy`: share of the images whose best class is the one given, int64 (images,); beside the source's."""
    shares = [
        float(np.mean(np.concatenate([batch[name] for batch in batches]).argmax(axis=1) == classes))
        for batches in (outputs, reference)
    ]
    return Quality("top1_accuracy", *shares)


def _best(logits: np.ndarray, count: int) -> np.ndarray:
    """The classes (images, count) of the largest logits."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :count]


def _shared(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.mean((expected[:, :, None] == found[:, None, :]).any(axis=2)))
