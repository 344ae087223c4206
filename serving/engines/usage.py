"""CPU time and memory of a server by its process tree on the host: one ruler for containers and processes alike."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

from serving.engines import owner
from serving.engines.contract import Usage

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def of(pid: int) -> Usage | None:
    """Used by process `pid` and its descendants since they started, or None where it has ended.

    CPU seconds have the clock's nanosecond resolution. Memory is resident pages, pages shared by several processes
    counted in each; the peak is the sum of each process's own peak, an upper bound where there are several.
    """
    try:
        root = psutil.Process(pid)
        if root.status() == psutil.STATUS_ZOMBIE:
            return None
        children = root.children(recursive=True)
        found = _own(root)
    except (psutil.NoSuchProcess, OSError):
        return None
    for child in children:
        try:
            own = _own(child)
        except (psutil.NoSuchProcess, OSError):
            continue  # ended since it was listed: its CPU time is its parent's by now
        found = Usage(
            found.cpu_s + own.cpu_s,
            found.memory_bytes + own.memory_bytes,
            found.memory_peak_bytes + own.memory_peak_bytes,
            found.processes | own.processes,
        )
    return found


def _own(process: psutil.Process) -> Usage:
    """Of one process, and the CPU time of its children already reaped; one that waits to be reaped does not run."""
    memory, peak = _memory(process.pid)
    # The kernel's own start time: psutil's moves when the wall clock is set.
    ticks = owner.start_ticks(process.pid)
    running = frozenset() if ticks is None else frozenset({(process.pid, int(ticks) / TICKS_PER_S)})
    return Usage(_cpu_s(process), memory, peak, running)


def _cpu_s(process: psutil.Process) -> float:
    """Own CPU time by the process's clock (`clock_getcpuclockid(3)`), and that of children already reaped."""
    times = process.cpu_times()
    return time.clock_gettime((~process.pid << 3) | 2) + times.children_user + times.children_system


def _memory(pid: int) -> tuple[int, int]:
    """VmRSS and VmHWM of /proc/<pid>/status, in bytes."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    rss, peak = (int(fields.get(name, "0 kB").split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return rss, peak
