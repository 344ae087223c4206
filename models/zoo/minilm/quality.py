"""What an embedding is good for, measured: near the reference, and paraphrases nearer than unrelated sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.pair import Quality, Tensors
from models.zoo.minilm.data import paraphrases, sentences


def quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    """Two metrics over the evaluation set.

    `cosine`: mean cosine between each text's embedding and its reference embedding (the reference's own is 1).
    `paraphrases_ranked`: share of the paraphrase pairs whose cosine is above that of every unrelated pairing, an
    unrelated pairing being the first half of one pair with the second half of another (380 of them).
    """
    found, expected = _embeddings(outputs), _embeddings(reference)
    return (
        Quality("cosine", _mean_cosine(found, expected), _mean_cosine(expected, expected)),
        Quality("paraphrases_ranked", _ranked(found), _ranked(expected)),
    )


def _embeddings(outputs: Sequence[Tensors]) -> np.ndarray:
    """float64 (texts, 384), at unit length whatever the outputs' own length is."""
    embeddings = np.concatenate([batch["embedding"] for batch in outputs]).astype(np.float64)
    texts = len(sentences()) + 2 * len(paraphrases())
    if len(embeddings) != texts:
        raise ValueError(f"minilm: expected outputs for {texts} evaluation texts, found {len(embeddings)}")
    unit: np.ndarray = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return unit


def _mean_cosine(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.mean(np.sum(found * expected, axis=1)))


def _ranked(embeddings: np.ndarray) -> float:
    count = len(paraphrases())
    first, second = embeddings[-2 * count : -count], embeddings[-count:]
    cosines = first @ second.T
    unrelated = cosines[~np.eye(count, dtype=bool)]
    return float(np.mean(np.diag(cosines) > unrelated.max()))
