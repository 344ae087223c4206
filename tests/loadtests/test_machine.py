"""What others used on a core is what is left of its busy time; what the machine does not tell is None."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtests import machine
from loadtests.machine import Readings, Watch, worst

CPU = max(os.sched_getaffinity(0))
BUSY = "print(flush=True)\nwhile True: pass"


def test_a_busy_loop_is_seen_unless_it_is_the_measured_program() -> None:
    busy = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    try:
        os.sched_setaffinity(busy.pid, {CPU})
        assert busy.stdout is not None
        busy.stdout.readline()
        clock = (~busy.pid << 3) | 2
        with Watch((CPU,), ()) as watch:
            before_s = time.clock_gettime(clock)
            time.sleep(0.5)
            used_s = time.clock_gettime(clock) - before_s
    finally:
        busy.kill()
        busy.communicate()
    stranger = watch.readings(server_cpu_s=0.0, generator_cpu_s=0.0).others_server_cores
    own = watch.readings(server_cpu_s=used_s, generator_cpu_s=0.0).others_server_cores
    assert stranger is not None
    assert own is not None
    assert stranger - own == pytest.approx(used_s / 0.5, rel=0.2)
    assert own <= 1 - used_s / 0.5 + 0.1


def test_fractions_are_fractions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PRESSURE", tmp_path / "none")
    monkeypatch.setattr(machine, "CORES", tmp_path)
    with Watch((CPU,), (min(os.sched_getaffinity(0)),)) as watch:
        time.sleep(0.1)
    seen = watch.readings(server_cpu_s=10.0, generator_cpu_s=0.0)
    assert seen.others_server_cores == 0  # never negative, whatever the clocks' resolution
    assert seen.steal is not None
    assert 0 <= seen.steal <= 1
    assert (seen.pressure, seen.frequency_ratio, seen.throttled) == (None, None, None)
    assert watch.readings(server_cpu_s=None, generator_cpu_s=0.0).others_server_cores is None


def test_the_clock_is_compared_with_the_highest_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CORES", tmp_path)
    cpufreq, throttle = tmp_path / f"cpu{CPU}" / "cpufreq", tmp_path / f"cpu{CPU}" / "thermal_throttle"
    cpufreq.mkdir(parents=True)
    throttle.mkdir()
    watch = Watch((CPU,), ())
    seen = []
    for governor, khz, count in (("performance", 4000, 3), ("performance", 3000, 5), ("schedutil", 800, 5)):
        (cpufreq / "scaling_governor").write_text(f"{governor}\n")
        (cpufreq / "scaling_cur_freq").write_text(f"{khz}\n")
        (throttle / "core_throttle_count").write_text("3\n")
        with watch:
            (throttle / "core_throttle_count").write_text(f"{count}\n")
            time.sleep(0.02)
        seen.append(watch.readings(server_cpu_s=0.0, generator_cpu_s=0.0))
    assert [each.frequency_ratio for each in seen] == [1.0, 0.75, None]
    assert [each.throttled for each in seen] == [0, 2, 2]


def test_the_worst_of_several_blocks_is_taken_figure_by_figure() -> None:
    a = Readings(others_server_cores=0.1, steal=None, frequency_ratio=0.9, throttled=1, processes_gone=1)
    b = Readings(others_server_cores=0.2, steal=0.01, frequency_ratio=1.0, throttled=2)
    assert worst([a, b]) == Readings(
        others_server_cores=0.2, steal=0.01, frequency_ratio=0.9, throttled=3, processes_gone=1
    )
    assert worst([a, Readings(processes_gone=2)]).processes_gone == 3
    assert worst([]) == Readings()
