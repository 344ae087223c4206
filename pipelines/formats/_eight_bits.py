"""Static int8, whoever writes it: which inputs give the ranges of activations, and what 8 bits would spoil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.pair import Matched, Tensors

INT8 = ("int8_dynamic", "int8_static")
SAMPLES, LOOKED_AT = 128, 8
"""Calibration inputs that give ranges, at most, and those of them whose spread is looked at."""
LOUD = 0.05
"""Rounding of an output, of its standard deviation, beyond which the product stays float: in TFLite 0.06 to 0.11 in
MiniLM's six narrowing ones, with which it keeps a cosine of 0.942, and 0.995 without; at most 0.045 in its thirty
others."""


def calibration(matched: Matched) -> list[Tensors]:
    """The inputs that give ranges."""
    return list(matched.calibration_inputs())[:SAMPLES]


def loud(outputs: Mapping[str, Sequence[np.ndarray[Any, Any]]], most: float = LOUD) -> list[str]:
    """Names of the outputs, each with the arrays seen of it, that 256 even steps over their range round by over `most`.

    A step s rounds evenly distributed values by s/√12.
    """
    values = {name: np.concatenate([array.ravel() for array in seen]) for name, seen in outputs.items()}
    return [name for name, found in values.items() if np.ptp(found) / 255 / np.sqrt(12) > most * found.std()]
