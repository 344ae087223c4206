"""Whose a container or a process is: two environment variables that a run sets and all its children inherit.

An owner is `<pid>:<start time in clock ticks>:<boot id>`: no reused pid and no reboot makes a dead run look alive.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

RUN = "DEPLOY_COMPARE_RUN"
OWNER = "DEPLOY_COMPARE_OWNER"


@dataclass(frozen=True)
class Owned:
    """A run's id, and the process it lives and dies with."""

    run: str
    owner: str


def mark(run_id: str) -> Owned:
    """Make this process the owner of everything it starts from now on."""
    os.environ[RUN] = run_id
    os.environ[OWNER] = f"{os.getpid()}:{start_ticks(os.getpid())}:{_boot_id()}"
    return current()


def current() -> Owned:
    """The run this process belongs to; outside a run the process is marked as its own."""
    if OWNER not in os.environ:
        return mark(f"adhoc-{os.getpid()}")
    return Owned(os.environ.get(RUN, ""), os.environ[OWNER])


def alive(owner: str) -> bool:
    """Whether the owner's process still runs; an owner that cannot be read is one of no living run."""
    pid, _, rest = owner.partition(":")
    ticks, _, boot_id = rest.partition(":")
    return pid.isdigit() and boot_id == _boot_id() and ticks == start_ticks(int(pid))


def start_ticks(pid: int) -> str | None:
    """Field 22 of /proc/<pid>/stat; None where the process has ended, or waits only to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the command's name before it may hold anything
    return None if fields[0] in "ZX" else fields[19]


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
