"""Every kind of arrivals is a schedule that follows its rate, and sharing it out changes nothing of what is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loadtests import arrivals
from loadtests.block import Arrivals, Block, Burst, Closed, Open, Ramp, Replay
from loadtests.errors import ReplayError
from loadtests.users.plan import plan

KINDS = [Open(100), Open(100, "poisson"), Ramp(0, 200), Ramp(200, 0), Burst(50, 300, every_s=1, burst_s=0.2)]
MakeBlock = Callable[..., Block]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_schedule_ascends_within_its_window_and_is_its_seeds(kind: Arrivals) -> None:
    instants = arrivals.schedule(kind, 10, seed=3)
    assert np.all(np.diff(instants) >= 0)
    assert 0 <= instants[0] <= instants[-1] < 10
    assert abs(len(instants) - 1000) < 120  # 1,000 is the mean of each; sd of the Poisson one is 32
    np.testing.assert_array_equal(instants, arrivals.schedule(kind, 10, seed=3))


def test_poisson_gaps_are_exponential_and_another_seed_is_another_schedule() -> None:
    instants = arrivals.poisson(100, 200, seed=1)
    gaps = np.diff(instants)
    assert gaps.mean() == pytest.approx(0.01, rel=0.03)
    assert gaps.std() == pytest.approx(0.01, rel=0.05)
    assert not np.array_equal(instants[:50], arrivals.poisson(100, 200, seed=2)[:50])
    np.testing.assert_array_equal(arrivals.poisson(100, 5, seed=1), instants[instants < 5])


@pytest.mark.parametrize(("from_rps", "to_rps"), [(0, 100), (100, 0), (20, 180), (50, 50)])
def test_a_ramp_reaches_what_its_rate_adds_up_to(from_rps: float, to_rps: float) -> None:
    instants = arrivals.ramp(from_rps, to_rps, 10)
    expected = from_rps * instants + (to_rps - from_rps) / 20 * instants**2
    np.testing.assert_allclose(expected, np.arange(len(instants)), atol=1e-6)
    assert len(instants) == (from_rps + to_rps) * 5


def test_a_burst_is_a_burst_and_then_its_rest() -> None:
    instants = arrivals.burst(10, 100, every_s=2, burst_s=0.5, duration_s=4)
    phase = instants % 2
    assert len(instants) == 130
    assert np.count_nonzero(phase < 0.5 - 1e-9) == 100


def test_a_closed_load_has_no_schedule() -> None:
    with pytest.raises(ValueError, match="no schedule"):
        arrivals.schedule(Closed(3), 1, 0)


def test_a_recording_is_replayed_as_far_as_the_window_goes(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("instant_s,payload\n0,2\n0.5,0\n0.5,1\n2,1\n")
    recorded = Replay(str(tmp_path / "r.csv"))
    assert arrivals.schedule(recorded, 2, 0).tolist() == [0, 0.5, 0.5]
    assert arrivals.carried(recorded, 2, 0, payloads=3, count=3).tolist() == [2, 0, 1]
    with pytest.raises(ReplayError, match="line 2: payload 2 is beyond the 2 payloads"):
        arrivals.carried(recorded, 2, 0, payloads=2, count=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: expected the header"),
        ("when\n1\n", "line 1: expected the header"),
        ("instant_s\n", "holds no requests"),
        ("instant_s\n0\nsoon\n", "line 3: expected an instant"),
        ("instant_s\n-1\n", "line 2: expected an instant"),
        ("instant_s\nnan\n", "line 2: expected an instant"),
        ("instant_s\n2\n1\n", "line 3: instants ascend"),
        ("instant_s,payload\n1\n", "line 2: expected 2 values, found 1"),
        ("instant_s,payload\n1,-1\n", "line 2: expected the index"),
        ("instant_s\n5\n", "no request in the first 2 s"),
    ],
)
def test_a_recording_that_is_not_one_names_the_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(ReplayError, match=words):
        arrivals.schedule(Replay(str(tmp_path / "r.csv")), 2, 0)


def test_a_missing_recording_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"r\.csv: cannot be read"):
        arrivals.schedule(Replay(str(tmp_path / "r.csv")), 2, 0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_shares_are_together_the_whole(kind: Arrivals, block: MakeBlock) -> None:
    whole = plan(block("http://h", kind, keep_responses=10), payloads=16)
    shares = [plan(block("http://h", kind, keep_responses=10, share=(i, 3)), payloads=16) for i in range(3)]
    for name in ("schedule", "payload", "slots"):
        mixed = np.empty_like(getattr(whole, name))
        for i, share in enumerate(shares):
            mixed[i::3] = getattr(share, name)
        np.testing.assert_array_equal(mixed, getattr(whole, name))
    assert sorted(whole.slots[whole.slots >= 0]) == list(range(10))


def test_the_users_of_a_closed_load_are_shared_out(block: MakeBlock) -> None:
    shares = [plan(block("http://h", Closed(4), keep_responses=5, share=(i, 3)), payloads=16) for i in range(3)]
    assert [share.users for share in shares] == [2, 1, 1]
    assert sum(int(share.slots.max()) + 1 for share in shares) == 5
