"""CPU time and memory of a server by its process tree on the host: one ruler for containers and processes alike."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from serving.engines.contract import Usage


def of(pid: int) -> Usage | None:
    """Used by process `pid` and its descendants since they started, or None where it has ended.

    CPU seconds have the clock's nanosecond resolution. Memory is resident pages, pages shared by several processes
    counted in each; the peak is the sum of each process's own peak, an upper bound where there are several.
    """
    try:
        root = psutil.Process(pid)
        if root.status() == psutil.STATUS_ZOMBIE:
            return None
        processes = [root, *root.children(recursive=True)]
        cpu_s = _cpu_s(root)
        memory, peak = _memory(pid)
    except (psutil.NoSuchProcess, OSError):
        return None
    for child in processes[1:]:
        try:
            child_cpu_s, (child_memory, child_peak) = _cpu_s(child), _memory(child.pid)
        except (psutil.NoSuchProcess, OSError):
            continue  # ended since it was listed: its CPU time is its parent's by now
        cpu_s, memory, peak = cpu_s + child_cpu_s, memory + child_memory, peak + child_peak
    return Usage(cpu_s, memory, peak)


def _cpu_s(process: psutil.Process) -> float:
    """Own CPU time by the process's clock (`clock_getcpuclockid(3)`), and that of children already reaped."""
    times = process.cpu_times()
    return time.clock_gettime((~process.pid << 3) | 2) + times.children_user + times.children_system


def _memory(pid: int) -> tuple[int, int]:
    """VmRSS and VmHWM of /proc/<pid>/status, in bytes."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    rss, peak = (int(fields.get(name, "0 kB").split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return rss, peak
