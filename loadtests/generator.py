"""The load generator's process, `python -m loadtests.generator`: a block a line on stdin, a result a line on stdout.

Started by `loadtests.launch.Generator`; ends with its stdin, or with its parent.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from typing import IO

PR_SET_PDEATHSIG = 1
OPEN_FILES = 4096
"""The usual 1,024 would refuse the last of `users.connections.LIMIT` connections."""


def main() -> None:
    """Answer `{}` once ready, then each block's result, or `{"error": "..."}` where it could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpus", required=True, help="cores to run on: 0,1")
    parser.add_argument("--parent", required=True, type=int, help="process to die with")
    arguments = parser.parse_args()
    _become_child(arguments.parent)
    # Before anything is imported: the libraries size their thread pools from it.
    os.sched_setaffinity(0, [int(cpu) for cpu in arguments.cpus.split(",")])
    _go_first()
    with _answers() as answers:
        from loadtests.measure import measure
        from loadtests.wire import block_from_json, result_to_json

        _answer(answers, "{}")
        for line in sys.stdin:
            try:
                answer = result_to_json(measure(block_from_json(line)))
            except Exception as exc:
                traceback.print_exc()
                answer = json.dumps({"error": f"{type(exc).__name__}: {exc}"})
            _answer(answers, answer)


def _become_child(parent: int) -> None:
    """End when the parent ends, however it ends; leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))


def _go_first() -> None:
    """Run ahead of all that shares our cores, where the system allows it (root, or CAP_SYS_NICE).

    Otherwise whatever happens to run when a request is due keeps the core for its time slice, and the request leaves
    1 to 4 ms late: seen for 1 in 270 requests on a quiet two-core machine, and with this for 1 in 3,840. The kernel
    keeps 5 % of the core for the rest.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        print("not allowed to run with real-time priority: other programs may delay requests", file=sys.stderr)


def _answers() -> IO[str]:
    """The stream of answers, for ourselves: whatever a library prints from now on goes to the log."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _answer(answers: IO[str], line: str) -> None:
    answers.write(line + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
