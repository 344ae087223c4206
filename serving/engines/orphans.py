"""Processes that a run which is no longer alive left behind, found by the owner in their environment."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from serving.engines import owner


def kill() -> list[str]:
    """SIGKILL every process whose owner is dead (stopped ones too), and say what it was.

    Never this process or one it descends from: a shell may well have inherited a dead run's environment.
    """
    spared = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    removed: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid not in spared:
            with suppress(OSError):  # ended meanwhile, or another user's
                removed += _kill_orphan(pid)
    return removed


def _kill_orphan(pid: int) -> list[str]:
    handle = os.pidfd_open(pid)  # names this very process from here on, even if its pid is reused
    try:
        found = _environment(pid)
        who = found.get(owner.OWNER)
        if who is None or owner.alive(who):
            return []
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return [f"process {pid} of run {found.get(owner.RUN, '?')}: {command.strip()[:120]}"]
    finally:
        os.close(handle)


def _environment(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)
