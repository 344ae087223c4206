"""What a job in a process of its own says when it ends: its log, and an exit status with the cause on a last line.

Exit status: 0, or one of `ERROR`, `DISK_FULL`, `OUT_OF_MEMORY` with the cause on a last line that starts with
`FAILED`; killed by a signal where native code crashed.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import signal
import sys
import traceback
from collections.abc import Callable

ERROR, DISK_FULL, OUT_OF_MEMORY = 1, errno.ENOSPC, errno.ENOMEM
FAILED = "worker failed: "
LONGEST_LINE = 1_000
"""Characters."""


def end(work: Callable[[], None]) -> int:
    """Do the work of this process; returns the exit status, and has said on stderr what went wrong."""
    end_with_parent()
    faulthandler.enable()
    try:
        work()
    except Exception as exc:
        traceback.print_exc()
        print(f"{FAILED}{first_line(exc)}", file=sys.stderr, flush=True)
        return _exit_status(exc)
    return 0


def first_line(exc: BaseException) -> str:
    """`ValueError: no such operator`; of a line without end its beginning."""
    said = next((line.strip() for line in str(exc).splitlines() if line.strip()), "")
    return f"{type(exc).__name__}: {said[:LONGEST_LINE]}"


def end_with_parent() -> None:
    """Ask Linux to end this process when the thread that started it ends, even by SIGKILL."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _exit_status(exc: BaseException) -> int:
    """Which kind of failure it was; frameworks wrap the system's errors in their own, so their text is read, too."""
    if isinstance(exc, MemoryError) or any(text in str(exc) for text in ("OOM when allocating", "allocate memory")):
        return OUT_OF_MEMORY
    if (isinstance(exc, OSError) and exc.errno == errno.ENOSPC) or "No space left on device" in str(exc):
        return DISK_FULL
    cause = exc.__cause__ or exc.__context__
    return _exit_status(cause) if cause else ERROR
