"""Distributions of the delay that a server injects, by name, and what their percentiles are by definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Delays:
    """`draw` turns evenly drawn numbers of [0, 1) into seconds: it is the quantile function."""

    described: str
    draw: Callable[[Seconds], Seconds]

    def quantile_ms(self, quantile: float) -> float:
        """What the distribution says."""
        return float(self.draw(np.array([quantile]))[0] * 1e3)


def _pareto(even: Seconds) -> Seconds:
    return np.minimum(0.002 * (1 - even) ** (-1 / 1.5), 0.2)


BY_NAME = {
    "constant": Delays("5 ms", lambda even: np.full_like(even, 0.005)),
    "bimodal": Delays("2 ms, 15 % 20 ms", lambda even: np.where(even < 0.85, 0.002, 0.020)),
    "heavy tail": Delays("Pareto from 2 ms, α = 1.5, at most 200 ms", _pareto),
}
