"""`python -I -S confine.py <parent pid> <cpus: 0,1> COMMAND…`: become COMMAND on these CPUs, and die with the parent.

A program of its own rather than a `preexec_fn`, which can deadlock where the parent has threads. Costs about 10 ms.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, cpus, *command = sys.argv[1:]
    try:
        os.sched_setaffinity(0, [int(cpu) for cpu in cpus.split(",")])
    except OSError as exc:
        sys.exit(f"cannot run on CPUs {cpus}: {exc.strerror}")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the line above
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
