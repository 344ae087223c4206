"""A job's crash, its timeout and the nursery's own end cost that job only, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.launch import Nursery, Program, Stopped

JOBS = """
import os, signal, subprocess, sys, threading, time
def preload(*names):
    if "thread" in names:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
def main(arguments):
    what, *rest = arguments
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        child = subprocess.Popen(["sleep", "60"])
        with open(rest[0] + ".half", "w") as file:
            file.write(str(child.pid))
        os.rename(rest[0] + ".half", rest[0])
        time.sleep(60)
    print("parent", os.getppid(), flush=True)
    return 7
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def program(folder: Path, *preload: str) -> Program:
    (folder / "made_jobs.py").write_text(JOBS)
    return Program("made_jobs", preload, environment={"PYTHONPATH": str(folder)})


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(program(tmp_path))
    yield made
    made.close()


def parent(nursery: Nursery, log: Path) -> int:
    """The process that forked or started a job, as the job told it."""
    with log.open("wb") as file:
        assert nursery(["tell"], file, 30) == 7
    return int(log.read_text().split()[1])


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_crash_costs_only_its_job(nursery: Nursery, tmp_path: Path) -> None:
    before = parent(nursery, tmp_path / "log")
    with (tmp_path / "crash").open("wb") as log:
        assert nursery(["crash"], log, 30) == -signal.SIGSEGV
    assert parent(nursery, tmp_path / "log") == before != os.getpid()


def test_a_timeout_ends_all_that_the_job_started(nursery: Nursery, tmp_path: Path) -> None:
    parent(nursery, tmp_path / "log")
    with (tmp_path / "hang").open("wb") as log, pytest.raises(TimeoutError):
        nursery(["hang", str(tmp_path / "pid")], log, 3)
    pid, until = int((tmp_path / "pid").read_text()), time.perf_counter() + 10
    while not gone(pid) and time.perf_counter() < until:
        time.sleep(0.05)
    assert gone(pid)


def test_a_nursery_that_was_killed_is_started_anew(nursery: Nursery, tmp_path: Path) -> None:
    first = parent(nursery, tmp_path / "log")
    os.kill(first, signal.SIGKILL)
    parent(nursery, tmp_path / "log")
    again = parent(nursery, tmp_path / "log")
    assert again not in {first, os.getpid()}


def test_where_preloading_starts_threads_each_job_is_a_fresh_process(tmp_path: Path) -> None:
    nursery = Nursery(program(tmp_path, "thread"))
    try:
        assert parent(nursery, tmp_path / "log") == os.getpid()
        assert nursery.threads == 2
    finally:
        nursery.close()


def test_closing_stops_a_job_that_runs(nursery: Nursery, tmp_path: Path) -> None:
    timer = threading.Timer(2, nursery.close)
    timer.start()
    with (tmp_path / "hang").open("wb") as log, pytest.raises(Stopped):
        nursery(["hang", str(tmp_path / "pid")], log, 30)
    timer.join()
