"""Answers in plain JSON tell neither dtypes nor, of a sole output, the name: both come from what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from loadtests.errors import ProtocolError

UNNAMED = ""
"""The name under which a sole output that has none is decoded."""


def from_json(name: str, values: Any) -> np.ndarray:
    """Numbers or truth values, nested as the shape is, as bool, int64 or float64; null is NaN.

    Integers too large for int64 become float64. Raises `ProtocolError` for anything else.
    """
    try:
        array = np.array(values)
        if array.dtype.kind == "O":  # null among the numbers, or values that are none
            array = np.array(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as exc:
        raise ProtocolError(f"output {name!r} is not a tensor: {exc}") from exc
    if array.dtype.kind not in "biuf":
        raise ProtocolError(f"output {name!r} does not hold numbers")
    return array


def fit(outputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs under the names and in the dtypes of those expected, where JSON could have meant them.

    The sole unnamed output gets the sole name that is expected. Numbers get the dtype expected where it holds them:
    integers any that is wide enough, fractions floats only. What is left as it is will not pass for equal.
    """
    if outputs.keys() == {UNNAMED} and len(expected) == 1:
        outputs = dict(zip(expected, outputs.values(), strict=True))
    return {name: _cast(array, expected[name].dtype) if name in expected else array for name, array in outputs.items()}


def _cast(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "f" and array.dtype.kind in "iuf":
        return array.astype(dtype)
    if dtype.kind in "iu" and array.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if array.size == 0 or (limits.min <= array.min() and array.max() <= limits.max):
            return array.astype(dtype)
    return array
