"""The digits and their fixed split: every fifth image is held out and never trained on."""

from __future__ import annotations

from functools import cache

import numpy as np

HELD_OUT_EVERY = 5


def training() -> tuple[np.ndarray, np.ndarray]:
    """Images float32 (1437, 1, 8, 8) in [0, 1], and their digits int64 (1437,)."""
    return _split(held_out=False)


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Images float32 (360, 1, 8, 8) in [0, 1], and their digits int64 (360,)."""
    return _split(held_out=True)


def _split(held_out: bool) -> tuple[np.ndarray, np.ndarray]:
    images, digits = _digits()
    chosen = (np.arange(len(images)) % HELD_OUT_EVERY == 0) == held_out
    return images[chosen], digits[chosen]


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    # The bundled pixels are counts of 0 to 16.
    return (images / 16.0).astype(np.float32).reshape(-1, 1, 8, 8), digits.astype(np.int64)
