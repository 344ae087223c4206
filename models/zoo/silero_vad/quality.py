"""Whether an artifact hears speech where its source does: a quality that needs no labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.pair import Quality, Tensors

SPEECH = 0.5  # the threshold that the package's own tools have


def quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    """Two metrics over all chunks; the source agrees with itself, so its own value of both is 1.

    `speech_agreement`: share of the chunks on which both say speech (probability above 0.5), or both do not.
    `probability_closeness`: 1 - the mean absolute difference of the probabilities.
    """
    found, expected = (np.concatenate([batch["probability"] for batch in side]) for side in (outputs, reference))
    if found.shape != expected.shape:
        raise ValueError(f"silero_vad: expected probability of shape {expected.shape}, found {found.shape}")
    difference = np.abs(found.astype(np.float64) - expected)
    return (
        Quality("speech_agreement", float(np.mean((found > SPEECH) == (expected > SPEECH))), 1.0),
        Quality("probability_closeness", float(1 - difference.mean()), 1.0),
    )
