"""What the processes of the load generator do before they import anything: belong to their parent, and go first."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
OPEN_FILES = 4096
"""The usual 1,024 would refuse the last of `users.connections.LIMIT` connections."""


def command(module: str, *arguments: str) -> list[str]:
    """How this process starts a module of the package as its child, in the clone's folder."""
    return [sys.executable, "-m", f"loadtests.{module}", "--parent", str(os.getpid()), *arguments]


def belong(parent: int) -> None:
    """End when the parent ends, however it ends; leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))


def run_on(cpus: str) -> None:
    """Keep to these cores, `0,1`: the libraries imported later size their thread pools from it."""
    os.sched_setaffinity(0, [int(cpu) for cpu in cpus.split(",")])


def go_first() -> None:
    """Run ahead of all that shares our cores, where the system allows it (root, or CAP_SYS_NICE).

    Otherwise whatever happens to run when a request is due keeps the core for its time slice, and the request leaves
    1 to 4 ms late: seen for 1 in 270 requests on a quiet two-core machine, and with this for 1 in 3,840. The kernel
    keeps 5 % of the core for the rest.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        print("not allowed to run with real-time priority: other programs may delay requests", file=sys.stderr)
