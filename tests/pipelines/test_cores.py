"""The cores while something is measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines import cores


def test_this_process_keeps_to_the_cores_and_gets_all_back() -> None:
    before = os.sched_getaffinity(0)
    one = min(before)
    with cores.measuring((one,)):
        assert os.sched_getaffinity(0) == {one}
    assert os.sched_getaffinity(0) == before


def test_no_idle_state_is_allowed_as_long_as_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "cpu_dma_latency"
    device.touch()
    monkeypatch.setattr(cores, "LATENCY", device)

    def held() -> bool:
        return any(os.path.realpath(f"/proc/self/fd/{fd}") == str(device) for fd in os.listdir("/proc/self/fd"))

    with cores.measuring(tuple(os.sched_getaffinity(0))):
        assert device.read_bytes() == bytes(4)  # 0 microseconds, an int32
        assert held()
    assert not held()


def test_where_the_kernel_has_no_such_device_it_measures_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "LATENCY", tmp_path / "absent")
    with cores.measuring(tuple(os.sched_getaffinity(0))):
        assert not cores.may_keep_awake()
