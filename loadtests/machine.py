"""What else the machine did while a block ran: CPU that others used, steal, pressure, clock, throttling. Linux only.

CPU of others on a set of cores = their time − idle − iowait − steal (/proc/stat) − what the measured programs used.
The kernel keeps idle time to the microsecond and prints it in ticks of 10 ms, so a 2 s block is told to 0.5 % of a
core; `user` and `system` are only sampled at ticks, and programs that a timer wakes hide between them (seen: 500
requests/s at 11 % of a core booked as 5 %). What remains also holds what each wake-up of an idle core costs the kernel
or the hypervisor (seen: 0.08 of a core at 6,000 wake-ups a second), so it is never taken for more than all other
processes of the machine used together.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PRESSURE = Path("/proc/pressure/cpu")
CORES = Path("/sys/devices/system/cpu")
SAMPLE_CLOCK_S = 0.25


@dataclass(frozen=True)
class Readings:
    """Of one block, or the worst of several. None: this machine does not tell."""

    others_server_cores: float | None = None
    """CPU of the server's cores that neither the server nor the generator used, of one core."""
    others_generator_cores: float | None = None
    steal: float | None = None
    """Time the hypervisor gave one of our cores to somebody else, of the block's: the worst core."""
    pressure: float | None = None
    """PSI: time in which some task waited for a CPU, of the block's."""
    frequency_ratio: float | None = None
    """Mean clock of the server's cores, of the highest that this `Watch` has seen."""
    throttled: int | None = None
    processes_gone: int | None = None
    """None: the server's processes cannot be seen."""


class Watch:
    """`with watch:` around a block, then `watch.readings(...)`. One for a whole run: it remembers the highest clock."""

    def __init__(self, server_cpus: Sequence[int], generator_cpus: Sequence[int]) -> None:
        self.server_cpus, self.generator_cpus = tuple(server_cpus), tuple(generator_cpus)
        self._highest_khz = 0.0
        self._before = self._after = _Snapshot.take(())
        self._processes_s: float | None = None
        self._clock_khz: list[float] = []

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample_clock, daemon=True)
        self._clock_khz = []
        self._processes_before = _process_clocks()
        self._before = _Snapshot.take(self.server_cpus + self.generator_cpus)
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._after = _Snapshot.take(self.server_cpus + self.generator_cpus)
        self._processes_s = _used_s(self._processes_before, _process_clocks())
        self._ended.set()
        self._sampler.join()

    def readings(
        self, *, server_cpu_s: float | None, generator_cpu_s: float, processes_gone: int | None = None
    ) -> Readings:
        """What the last `with` saw, given what the measured programs used in it themselves.

        `server_cpu_s` None: a server whose CPU cannot be seen (`deploy-compare load URL`); then nothing is said of
        its cores, and `processes_gone` is None as well.
        """
        before, after = self._before, self._after
        wall_s = after.at - before.at
        everybody_s = None if self._processes_s is None else self._processes_s - generator_cpu_s - (server_cpu_s or 0.0)
        server = None if server_cpu_s is None else self._others(self.server_cpus, server_cpu_s, everybody_s, wall_s)
        pressure_s = _grown(before.pressure_s, after.pressure_s)
        throttled = _grown(before.throttles, after.throttles)
        return Readings(
            others_server_cores=server,
            others_generator_cores=self._others(self.generator_cpus, generator_cpu_s, everybody_s, wall_s),
            steal=max((after.steal_s[cpu] - before.steal_s[cpu]) / wall_s for cpu in before.steal_s),
            pressure=None if pressure_s is None else pressure_s / wall_s,
            frequency_ratio=self._frequency_ratio(),
            throttled=None if throttled is None else int(throttled),
            processes_gone=processes_gone,
        )

    def _others(self, cpus: Sequence[int], own_s: float, everybody_s: float | None, wall_s: float) -> float:
        busy_s = sum(wall_s - (self._after.idle_s[cpu] - self._before.idle_s[cpu]) for cpu in cpus)
        others_s = busy_s - own_s if everybody_s is None else min(busy_s - own_s, everybody_s)
        return max(0.0, others_s) / wall_s

    def _frequency_ratio(self) -> float | None:
        if not self._clock_khz:
            return None
        mean = sum(self._clock_khz) / len(self._clock_khz)
        self._highest_khz = max(self._highest_khz, mean)
        return mean / self._highest_khz

    def _sample_clock(self) -> None:
        while (khz := _clock_khz(self.server_cpus)) is not None:
            self._clock_khz.append(khz)
            if self._ended.wait(SAMPLE_CLOCK_S):
                return


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def worst(readings: Iterable[Readings]) -> Readings:
    """What the worst block of several saw, figure by figure; processes gone are added up."""
    all_ = list(readings)

    def seen(name: str) -> list[float]:
        return [value for each in all_ if (value := getattr(each, name)) is not None]

    highest = {
        name: max(seen(name), default=None)
        for name in ("others_server_cores", "others_generator_cores", "steal", "pressure")
    }
    throttled = [each.throttled for each in all_ if each.throttled is not None]
    gone = [each.processes_gone for each in all_ if each.processes_gone is not None]
    return Readings(
        **highest,
        frequency_ratio=min(seen("frequency_ratio"), default=None),
        throttled=sum(throttled) if throttled else None,
        processes_gone=sum(gone) if gone else None,
    )


@dataclass(frozen=True)
class _Snapshot:
    """Counters at one instant: of each core, seconds not worked (idle, iowait, steal) and seconds stolen."""

    at: float
    idle_s: dict[int, float]
    steal_s: dict[int, float]
    pressure_s: float | None
    throttles: int | None

    @classmethod
    def take(cls, cpus: Sequence[int]) -> Self:
        idle_s, steal_s = _core_times(cpus)
        return cls(time.perf_counter(), idle_s, steal_s, _pressure_s(), _throttles(cpus))


def _core_times(cpus: Sequence[int]) -> tuple[dict[int, float], dict[int, float]]:
    idle_s, steal_s = {}, {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cpus:
            idle, iowait, steal = (int(fields[index]) * TICK_S for index in (3, 4, 7))
            idle_s[int(name[3:])], steal_s[int(name[3:])] = idle + iowait + steal, steal
    return idle_s, steal_s


def _pressure_s() -> float | None:
    """PSI `some` total; None where the kernel has no PSI, or has it switched off."""
    try:
        some = PRESSURE.read_text().splitlines()[0]
    except (OSError, IndexError):
        return None
    return int(some.rsplit("total=", 1)[1]) / 1e6


def _throttles(cpus: Sequence[int]) -> int | None:
    """Thermal throttling events of the cores so far, and of their packages."""
    counters = [path for cpu in cpus for path in CORES.glob(f"cpu{cpu}/thermal_throttle/*_throttle_count")]
    return sum(int(path.read_text()) for path in counters) if counters else None


def _clock_khz(cpus: Sequence[int]) -> float | None:
    """Mean clock of the cores now. None without cpufreq (most virtual machines), and under a governor other than
    `performance`: there the clock follows the load, and drift cannot be told from a workload's own rate."""
    values = []
    for cpu in cpus:
        folder = CORES / f"cpu{cpu}" / "cpufreq"
        try:
            if (folder / "scaling_governor").read_text().strip() != "performance":
                return None
            values.append(int((folder / "scaling_cur_freq").read_text()))
        except (OSError, ValueError):
            return None
    return sum(values) / len(values) if values else None


def _process_clocks() -> dict[int, float] | None:
    """CPU seconds of every process so far, its reaped children's included; None where not all can be seen."""
    if not Path("/proc/2/stat").exists():  # kthreadd: a container's own pid namespace hides it, and everybody else
        return None
    used_s = {}
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            reaped_s = (int(fields[13]) + int(fields[14])) * TICK_S
            used_s[pid] = time.clock_gettime((~pid << 3) | 2) + reaped_s  # clock_getcpuclockid(3)
        except OSError:
            continue  # it ended meanwhile
    return used_s


def _used_s(before: dict[int, float] | None, after: dict[int, float] | None) -> float | None:
    """Between two readings, at most: of a child that ended meanwhile, all it ever used is in its parent's account."""
    if before is None or after is None:
        return None
    return sum(max(0.0, used - before.get(pid, 0.0)) for pid, used in after.items())
