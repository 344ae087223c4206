"""A worker as somebody starts it by hand, on what could be another host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


@contextmanager
def by_hand(listen: str, cpu: int, log: Path) -> Iterator[None]:
    """`deploy-compare worker LISTEN` on that core, ended as Ctrl-C ends it; it leaves nothing behind."""
    code = "from pipelines.cli import main; main()"
    arguments = [sys.executable, "-c", code, "worker", listen, "--cpus", str(cpu)]
    with log.open("wb") as output, subprocess.Popen(arguments, stdout=output, stderr=output, cwd=ROOT) as process:
        try:
            yield
        finally:
            children = psutil.Process(process.pid).children()
            process.terminate()
            assert process.wait(timeout=10) == 130
            assert psutil.wait_procs(children, timeout=5)[1] == []
