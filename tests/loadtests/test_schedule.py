"""Schedules are pure functions of their seed, and files of requests come back as they went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests import arrivals, payloads, responses
from loadtests.errors import PayloadError


@pytest.mark.parametrize(("rate_rps", "duration_s", "count"), [(200, 20, 4000), (0.1, 30, 3), (3, 1.1, 4), (0.5, 1, 1)])
def test_constant_arrivals_are_evenly_spaced_within_the_window(rate_rps: float, duration_s: float, count: int) -> None:
    instants = arrivals.constant(rate_rps, duration_s)
    np.testing.assert_allclose(instants, np.arange(count) / rate_rps)
    assert instants[-1] < duration_s


@pytest.mark.parametrize(("rate_rps", "duration_s"), [(0, 1), (-1, 1), (1, 0), (float("inf"), 1), (float("nan"), 1)])
def test_a_rate_and_a_duration_are_positive(rate_rps: float, duration_s: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        arrivals.constant(rate_rps, duration_s)


def test_the_same_seed_draws_the_same_payloads_evenly() -> None:
    draws = arrivals.payload_draws(7, 4, 4000)
    np.testing.assert_array_equal(draws, arrivals.payload_draws(7, 4, 4000))
    assert not np.array_equal(draws, arrivals.payload_draws(8, 4, 4000))
    assert np.all(np.abs(np.bincount(draws, minlength=4) - 1000) < 150)


def test_each_response_is_equally_likely_to_be_kept() -> None:
    kept = np.zeros(100)
    for seed in range(2000):
        slots = arrivals.keep_slots(seed, 10, 100)
        last = {int(slot): row for row, slot in enumerate(slots) if slot >= 0}
        assert sorted(last) == list(range(10))
        kept[list(last.values())] += 1
    assert abs(kept[:50].sum() - kept[50:].sum()) < 600  # 10,000 each; sd of the difference is about 134
    assert np.all(np.abs(kept - 200) < 80)  # sd 13


def test_nothing_is_kept_where_nothing_is_asked_for() -> None:
    assert np.all(arrivals.keep_slots(1, 0, 50) == -1)
    assert len(arrivals.keep_slots(1, 5, 0)) == 0


def test_requests_survive_the_file(tmp_path: Path) -> None:
    inputs: list[dict[str, np.ndarray]] = [
        {"ids": np.arange(6).reshape(1, 6), "a/b:0": np.ones((1, 2), dtype=np.float16)},
        {"ids": np.arange(3).reshape(1, 3), "a/b:0": np.zeros((0, 2), dtype=np.float16)},
    ]
    payloads.save(tmp_path / "p.npz", inputs)
    for before, after in zip(inputs, payloads.load(tmp_path / "p.npz"), strict=True):
        assert list(before) == list(after)
        for name, array in before.items():
            np.testing.assert_array_equal(array, after[name])
            assert array.dtype == after[name].dtype


@pytest.mark.parametrize("inputs", [[], [{}]])
def test_a_load_needs_requests(tmp_path: Path, inputs: list[dict[str, np.ndarray]]) -> None:
    with pytest.raises(PayloadError, match="at least one"):
        payloads.save(tmp_path / "p.npz", inputs)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="cannot be written"):
        payloads.save(tmp_path / "p.npz", [{"x": np.array([object()])}])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"PK not really"])
def test_a_file_that_is_not_requests_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(PayloadError, match=r"p\.npz"):
        payloads.load(tmp_path / "p.npz")


def test_arrays_of_another_kind_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", x=np.ones(3))
    with pytest.raises(PayloadError, match="found 'x'"):
        payloads.load(tmp_path / "p.npz")


def test_responses_survive_the_file(tmp_path: Path) -> None:
    responses.save(tmp_path / "r.npz", [(3, {"y": np.ones(2)}), (0, {"y": np.zeros(2)})])
    first, second = responses.load(tmp_path / "r.npz")
    assert (first.payload, second.payload) == (3, 0)
    np.testing.assert_array_equal(first.outputs["y"], np.ones(2))
    responses.save(tmp_path / "r.npz", [])
    assert responses.load(tmp_path / "r.npz") == []
