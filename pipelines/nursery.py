"""A process that imports a heavy library once, and forks a child for each job: start-up is paid once, a crash once.

    python -m pipelines.nursery SOCKET ENTRY [PRELOAD ...]

ENTRY is a module with `preload(*names)` and `main(arguments) -> exit status`; SOCKET is the file descriptor over which
jobs arrive, each with two descriptors of its own: where the child writes its log, and where its exit status is told.
Who closes the latter before, gives the job up: the child is killed with all it started. When SOCKET is closed, all are.

Forking a process that has other threads may leave their locks held for ever. So where the preloaded libraries started
some, the first message says how many, and the nursery ends: the caller starts a fresh process for each job instead.

Only the standard library is imported here, because this runs in the servers' environments as well.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

Main = Callable[[Sequence[str]], int]
MESSAGE_BYTES = 65536


@dataclass(frozen=True)
class Child:
    """A job that runs."""

    pid: int
    ended: int
    """A pidfd: readable when it has ended."""
    answer: socket.socket


class Nursery:
    """Forks a child for each job, tells its end, and kills those that were given up."""

    def __init__(self, jobs: socket.socket, main: Main) -> None:
        self._jobs = jobs
        self._main = main
        self._children: dict[int, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(jobs, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until the other side closes its socket, or is gone."""
        while True:
            for key, _ in self._selector.select():
                child: Child | None = key.data
                if child is None:
                    if not self._take():
                        self._end()
                        return
                elif child.pid in self._children:
                    if key.fileobj == child.ended:
                        self._tell(child)
                    else:
                        self._give_up(child)

    def _take(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._jobs, MESSAGE_BYTES, 2)
        if not message:
            return False
        log, answer = descriptors
        pid = os.fork()
        if pid == 0:
            os.close(answer)
            self._become_child(json.loads(message), log)
        os.close(log)
        child = Child(pid, os.pidfd_open(pid), socket.socket(fileno=answer))
        self._children[pid] = child
        self._selector.register(child.ended, selectors.EVENT_READ, child)
        self._selector.register(child.answer, selectors.EVENT_READ, child)
        return True

    def _become_child(self, arguments: list[str], log: int) -> None:
        """Run the job, and never return."""
        status = 1
        try:
            os.setsid()  # whatever a converter starts is in its session, and ends with it
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            self._selector.close()
            self._jobs.close()
            for child in self._children.values():
                os.close(child.ended)
                child.answer.close()
            with suppress(OSError):
                # Where memory runs out, the kernel shall take this one.
                Path("/proc/self/oom_score_adj").write_text("1000")
            status = self._main(arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
                ctypes.CDLL(None).fflush(None)  # what native code printed
            os._exit(status)

    def _tell(self, child: Child) -> None:
        _kill(child)  # what it left behind; its id is its own until it is waited for
        _, status = os.waitpid(child.pid, 0)
        with suppress(OSError):
            child.answer.send(str(os.waitstatus_to_exitcode(status)).encode())
        self._selector.unregister(child.ended)
        os.close(child.ended)
        with suppress(KeyError):
            self._selector.unregister(child.answer)
        child.answer.close()
        del self._children[child.pid]

    def _give_up(self, child: Child) -> None:
        self._selector.unregister(child.answer)
        _kill(child)

    def _end(self) -> None:
        for child in self._children.values():
            _kill(child)


def _kill(child: Child) -> None:
    # The group is there once the child has called setsid; until then it is alone.
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(child.pid, signal.SIGKILL)


def main(arguments: Sequence[str]) -> None:
    """Preload, say how many threads that left, and serve if it is this one only."""
    jobs = socket.socket(fileno=int(arguments[0]))
    entry = import_module(arguments[1])
    entry.preload(*arguments[2:])
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise touch, and so copy, every page of the parent
    threads = len(os.listdir("/proc/self/task"))
    jobs.send(str(threads).encode())
    if threads == 1:
        Nursery(jobs, entry.main).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
