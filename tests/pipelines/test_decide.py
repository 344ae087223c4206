"""Comparisons of arms by their blocks: every pair, every metric the blocks have, corrected for the family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.decide import METRICS, comparisons
from pipelines.results import BlockFigures, Generator, Percentiles


def arm(factor: float, seed: int, *, rounds: Sequence[int] = range(8), **changes: object) -> list[BlockFigures]:
    """Blocks whose figures are `factor` times one, 1 % apart."""
    rng = np.random.default_rng(seed)

    def figure() -> float:
        return float(factor * np.exp(rng.normal(0, 0.01)))

    blocks = [
        BlockFigures(
            round=round_,
            attempt=0,
            requests=500,
            errors=0,
            achieved_rps=figure(),
            latency_ms=Percentiles(p50=figure(), p90=figure(), p99=figure()),
            cpu_ms_per_request=figure(),
            generator=Generator(lag_p99_ms=0.1, cpu_fraction=0.1),
        )
        for round_ in rounds
    ]
    return [block.model_copy(update=changes) for block in blocks]


def test_every_pair_is_compared_on_every_metric() -> None:
    found = comparisons({"a": arm(1.0, 1), "b": arm(1.0, 2), "c": arm(1.2, 3)}, "steady")
    assert {(c.a, c.b, c.metric) for c in found} == {(*pair, m) for pair in ("ab", "ac", "bc") for m in METRICS}
    assert {c.verdict for c in found if c.b == "c"} == {"different"}
    assert all(c.ratio < 1 and c.p is not None and c.p < 0.05 for c in found if c.b == "c")
    assert "different" not in {c.verdict for c in found if c.b == "b"}


def test_a_p99_that_one_block_is_too_short_for_is_not_compared() -> None:
    short = arm(1.0, 1)
    short[2] = short[2].model_copy(update={"latency_ms": Percentiles(p50=1.0, p90=1.0, p99=None)})
    found = comparisons({"a": short, "b": arm(1.0, 2), "c": arm(1.0, 3)}, "steady")
    assert [(c.a, c.b) for c in found if c.metric == "latency_ms.p99"] == [("b", "c")]
    assert len([c for c in found if c.metric == "latency_ms.p90"]) == 3


def test_blocks_pair_by_round() -> None:
    found = comparisons({"a": arm(1.0, 1, rounds=range(6)), "b": arm(1.0, 2, rounds=range(2, 9))}, "steady")
    assert {c.blocks for c in found} == {4}


def test_what_was_never_measured_together_is_not_compared() -> None:
    assert comparisons({"a": arm(1.0, 1, rounds=[0]), "b": arm(1.0, 2, rounds=[1])}, "steady") == []
    assert comparisons({"a": arm(1.0, 1)}, "steady") == []


def test_the_correction_grows_with_the_number_of_arms() -> None:
    a, b = arm(1.0, 1), arm(1.03, 2)
    two = comparisons({"a": a, "b": b}, "steady")[0]
    four = comparisons({"a": a, "b": b, "c": arm(1.01, 3), "d": arm(1.02, 4)}, "steady")[0]
    assert two.p is not None
    assert four.p is not None
    assert four.p > two.p
    assert four.ci95 == two.ci95


def test_only_an_inconclusive_comparison_asks_for_more_blocks() -> None:
    noisy = [block.model_copy(update={"cpu_ms_per_request": 1 + 0.3 * (i % 3)}) for i, block in enumerate(arm(1.0, 1))]
    found = {c.metric: c for c in comparisons({"a": noisy, "b": arm(1.2, 2)}, "steady")}
    assert (found["achieved_rps"].verdict, found["achieved_rps"].more_blocks) == ("different", None)
    undecided = found["cpu_ms_per_request"]
    assert undecided.verdict == "inconclusive"
    assert undecided.more_blocks is not None
    assert undecided.more_blocks > 8
