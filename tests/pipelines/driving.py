"""Runs `deploy-compare run` as a user does, in a process of its own, and looks for what it left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipelines import journal, results
from pipelines.journal import BlockMeasured
from pipelines.results import Results

HERE = Path(__file__).parent
TINY = HERE / "tiny.yaml"
TWO_WAYS = HERE / "two_ways.yaml"


def start(out: Path, engine: str, experiment: Path = TINY, *options: str, **environment: str) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).parent / "deploy-compare"), "run", str(experiment)]
    return subprocess.Popen(
        [*command, "--engine", engine, "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
        # Away from the clone: the command must not depend on where it is called.
        cwd=out,
    )


def finish(process: subprocess.Popen[str], timeout_s: float = 900) -> str:
    """Wait for its end; returns what it printed."""
    try:
        return process.communicate(timeout=timeout_s)[0]
    finally:
        process.kill()


def read(out: Path) -> Results:
    path = out / "latest" / "results.json"
    return results.from_json(path.read_text(), str(path))


def blocks(out: Path) -> list[BlockMeasured]:
    events = journal.read((out / "latest").resolve() / "journal.jsonl")
    return [event for event in events if isinstance(event, BlockMeasured)]


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], timeout_s: float = 600) -> None:
    deadline = time.perf_counter() + timeout_s
    while not condition():
        assert process.poll() is None, f"ended too early:\n{finish(process)}"
        assert time.perf_counter() < deadline, "waited in vain"
        time.sleep(0.05)


def left_behind(run_id: str) -> list[str]:
    """Processes and containers that carry the run's label."""
    return [*_processes(run_id), *_containers(run_id)]


def _processes(run_id: str) -> list[str]:
    marker = f"DEPLOY_COMPARE_RUN={run_id}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker in path.read_bytes():
                found.append((path.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended while we looked, or is not ours
    return found


def _containers(run_id: str) -> list[str]:
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"label=deploy-compare.run={run_id}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []  # no daemon, no containers
