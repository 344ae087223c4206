"""Figures are arithmetic on raw samples, and nothing is printed that the samples do not support."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from loadtests import samples
from loadtests.errors import SamplesError
from loadtests.recorder import write
from loadtests.samples import Samples, figures


def make(
    latency_ms: np.ndarray | list[float],
    *,
    lag_ms: float = 0.0,
    ok: np.ndarray | None = None,
    rate_rps: float = 100.0,
    open: bool = True,
) -> Samples:
    """Requests at that rate; each took that long from its intended instant."""
    count = len(latency_ms)
    intended = np.arange(count) / rate_rps
    return Samples(
        payload=np.zeros(count, dtype=np.int32),
        intended=intended,
        sent=intended + lag_ms / 1e3,
        end=intended + np.asarray(latency_ms) / 1e3,
        ok=np.ones(count, dtype=np.bool_) if ok is None else ok,
        status=np.full(count, 200, dtype=np.int16),
        response_bytes=np.full(count, 64, dtype=np.int64),
        duration_s=count / rate_rps,
        open=open,
    )


def test_latency_is_from_the_intended_instant_service_from_sent_and_lag_between() -> None:
    seen = figures(make(np.arange(1.0, 1001.0), lag_ms=0.5))
    assert seen.latency_ms.p50 == pytest.approx(500)
    assert seen.latency_ms.p90 == pytest.approx(900)
    assert seen.latency_ms.p99 == pytest.approx(990)
    assert seen.service_ms.p99 == pytest.approx(989.5)
    assert seen.lag_ms.p99 == pytest.approx(0.5)


def test_a_percentile_is_one_of_the_samples() -> None:
    values = np.array([3.0, 1.0, 2.0, 4.0])
    assert [samples.nearest_rank(values, q) for q in (0.25, 0.5, 0.51, 1.0)] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(("quantile", "needed"), [(0.50, 7), (0.90, 44), (0.95, 90), (0.99, 459)])
def test_a_percentile_needs_samples(quantile: float, needed: int) -> None:
    assert samples.samples_needed(quantile) == needed
    assert quantile**needed <= 0.01 < quantile ** (needed - 1)


@pytest.mark.parametrize(
    ("count", "printed"), [(6, ()), (7, ("p50",)), (43, ("p50",)), (44, ("p50", "p90")), (458, ("p50", "p90"))]
)
def test_percentiles_are_withheld_where_there_are_too_few(count: int, printed: tuple[str, ...]) -> None:
    seen = figures(make(np.ones(count))).latency_ms
    assert tuple(name for name in ("p50", "p90", "p99") if getattr(seen, name) is not None) == printed


def test_pooled_blocks_have_the_samples_that_one_has_not() -> None:
    block = make(np.ones(300))
    assert figures(block).latency_ms.p99 is None
    pooled = figures(block, block)
    assert pooled.latency_ms.p99 == pytest.approx(1)
    assert (pooled.requests, pooled.duration_s) == (600, 6.0)
    assert pooled.requests_per_s == pytest.approx(100)


def test_errors_do_not_flatter_latency() -> None:
    latency_ms = np.where(np.arange(1000) % 20 == 0, 500.0, 1.0)
    answered = figures(make(latency_ms))
    refused = figures(make(latency_ms, ok=latency_ms < 500))  # the slow ones refused instead
    assert (answered.errors, refused.errors) == (0, 50)
    assert answered.latency_ms.p99 == pytest.approx(500)
    assert refused.latency_ms.p90 == pytest.approx(1)
    assert refused.latency_ms.p99 is None
    assert refused.service_ms.p99 is None


def test_what_never_left_shows_in_the_lag() -> None:
    block = make(np.ones(500))
    block.sent[:10] = np.nan
    seen = figures(block)
    assert seen.lag_ms.p99 is None
    assert seen.lag_p99_seen_ms == np.inf


@pytest.mark.parametrize(("late", "seen_ms"), [(1, 0.0), (2, 5.0)])
def test_one_late_request_of_a_short_block_is_not_its_p99(late: int, seen_ms: float) -> None:
    block = make(np.ones(80))
    block.sent[:late] += 0.005
    assert figures(block).lag_p99_seen_ms == pytest.approx(seen_ms, abs=1e-6)


@pytest.mark.parametrize(("requests", "rank"), [(0, 0), (1, 1), (2, 1), (80, 79), (100, 99), (300, 297), (459, 455)])
def test_the_lag_judged_is_the_p99s_whether_or_not_it_can_be_told(requests: int, rank: int) -> None:
    assert samples.lag_rank(requests) == rank


def test_a_constant_latency_takes_nothing_from_an_open_load() -> None:
    assert samples.achieved_rps(make(np.full(300, 50.0))) == pytest.approx(100)


def test_an_overloaded_server_achieves_what_it_can_serve() -> None:
    count = np.arange(1000)
    ends_ms = (count + 1) / 80 * 1e3  # it serves 80 of the 100 a second, in order
    assert samples.achieved_rps(make(ends_ms - count / 100 * 1e3)) == pytest.approx(80, rel=0.01)


def test_a_closed_load_counts_what_ended_within_the_window() -> None:
    assert samples.achieved_rps(make(np.full(100, 15.0), open=False)) == 99  # the last one ended 5 ms after it


def test_no_right_answer_is_no_throughput() -> None:
    assert samples.achieved_rps(make(np.ones(10), ok=np.zeros(10, dtype=np.bool_))) == 0


def test_samples_survive_the_file(tmp_path: Path) -> None:
    block = make(np.arange(10.0), open=False)
    write(str(tmp_path / "samples.parquet"), block)
    again = samples.read(tmp_path / "samples.parquet")
    for name in samples.COLUMNS:
        np.testing.assert_array_equal(getattr(again, name), getattr(block, name))
        assert getattr(again, name).dtype == getattr(block, name).dtype
    assert (again.duration_s, again.open) == (block.duration_s, False)
    assert [path.name for path in tmp_path.iterdir()] == ["samples.parquet"]


def test_a_damaged_file_never_gives_other_values(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    block = make(np.arange(1000.0), open=False)
    write(str(path), block)
    sound = path.read_bytes()
    refused = 0
    for at in range(4, len(sound) // 2, 7):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        try:
            again = samples.read(path)
        except SamplesError:
            refused += 1
            continue
        for name in samples.COLUMNS:
            np.testing.assert_array_equal(getattr(again, name), getattr(block, name))
    assert refused > 50


@pytest.mark.parametrize("content", [None, b"", b"not parquet"])
def test_a_file_that_is_not_samples_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "samples.parquet").write_bytes(content)
    with pytest.raises(SamplesError, match=r"samples\.parquet"):
        samples.read(tmp_path / "samples.parquet")


@pytest.mark.parametrize(("count", "printed"), [(300, False), (700, True)])
def test_a_p99_is_printed_with_its_upper_bound_or_not_at_all(count: int, printed: bool) -> None:
    seen = figures(make(np.arange(1.0, count + 1)))
    assert (seen.latency_ms.p99 is not None, seen.latency_upper_ms.p99 is not None) == (printed, printed)


@pytest.mark.parametrize(("count", "quantile"), [(7, 0.5), (300, 0.9), (459, 0.99), (700, 0.99), (900, 0.9)])
def test_the_upper_bound_is_the_lowest_order_statistic_that_is_one(count: int, quantile: float) -> None:
    rank = int(samples.upper_bound_ms(np.arange(1.0, count + 1), quantile) or 0)

    def confidence(rank: int) -> float:  # that fewer than `rank` samples lie below the quantile
        return sum(math.comb(count, i) * quantile**i * (1 - quantile) ** (count - i) for i in range(rank))

    assert confidence(rank) >= 0.99 > confidence(rank - 1)


def test_the_upper_bound_covers_the_true_quantile_in_99_of_100() -> None:
    random = np.random.default_rng(1)
    true_p99 = -math.log(0.01)
    bounds = [samples.upper_bound_ms(random.exponential(size=700), 0.99) for _ in range(2000)]
    assert sum(bound >= true_p99 for bound in bounds if bound is not None) / len(bounds) == pytest.approx(
        0.99, abs=0.01
    )


def test_an_upper_bound_among_errors_is_none() -> None:
    ok = np.arange(700) >= 3
    seen = figures(make(np.ones(700), ok=ok))
    assert seen.latency_ms.p99 == pytest.approx(1)
    assert seen.latency_upper_ms.p99 is None


def test_latency_over_time_shows_when_it_was_felt() -> None:
    latency_ms = np.ones(400)
    latency_ms[200:300] = 50.0
    seen = samples.over_time([make(latency_ms), make(np.ones(400))], 4)
    assert [each.at_s for each in seen] == pytest.approx([0.5, 1.5, 2.5, 3.5])
    assert [each.requests for each in seen] == [200] * 4
    assert [each.worst_ms for each in seen] == pytest.approx([1, 1, 50, 1])
    assert [each.p90_ms for each in seen] == pytest.approx([1, 1, 50, 1])


def test_intervals_say_nothing_of_what_they_do_not_have() -> None:
    ok = np.ones(40, dtype=np.bool_)
    ok[35] = False
    first, last = samples.over_time([make(np.ones(40), ok=ok, rate_rps=20)], 2)
    assert [first.p50_ms, first.worst_ms, last.p50_ms] == pytest.approx([1, 1, 1])
    assert (first.p90_ms, last.worst_ms, last.requests) == (None, None, 20)


def test_goodput_counts_right_answers_in_time() -> None:
    block = make(np.array([5.0] * 60 + [20.0] * 30 + [1.0] * 10), ok=np.arange(100) < 90)
    assert samples.goodput_rps(block, 10.0) == pytest.approx(60)
    assert samples.goodput_rps(block, 25.0) == pytest.approx(90)


def test_goodput_is_never_more_than_was_achieved() -> None:
    block = make(np.linspace(1.0, 300.0, 200))
    assert samples.goodput_rps(block, 1000.0) == samples.achieved_rps(block) < 200 / block.duration_s


def test_no_block_has_no_figures() -> None:
    with pytest.raises(ValueError, match="at least one block"):
        figures()
