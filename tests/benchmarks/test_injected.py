"""What a server says it injected is held against what it was asked to inject."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.truth_parts import delays
from benchmarks.truth_parts.injected import QUANTILES, drawn_from


@pytest.mark.parametrize("name", delays.BY_NAME)
@pytest.mark.parametrize("quantile", QUANTILES.values())
def test_delays_of_the_distribution_pass_and_others_do_not(name: str, quantile: float) -> None:
    distribution = delays.BY_NAME[name]
    even = np.random.default_rng(20).random(5000)
    injected_ms = distribution.draw(even) * 1e3
    assert drawn_from(injected_ms + 0.02, quantile, distribution)
    assert not drawn_from(injected_ms * 1.5, quantile, distribution)
    assert not drawn_from(np.zeros(5000), quantile, distribution)
