"""The host's side of a worker for another host's run: `deploy-compare worker`."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from loadtests import child, wire
from loadtests.errors import GeneratorError
from loadtests.worker import REFUSED

PAUSE_S = 2.0
"""Before coming back: the master that sent a worker home still listens for half a second, and would take it again."""


def serve(master: str, cpus: tuple[int, ...], say: Callable[[str], None]) -> None:
    """Send for one master after another at `master`, HOST:PORT, on these cores, until interrupted.

    Raises `GeneratorError` for an address that is none, and where a master refuses this host's version.
    """
    host, port = wire.address(master)
    try:
        socket.getaddrinfo(host.strip("[]"), port)
    except OSError as exc:
        raise GeneratorError(f"{master}: no such host: {exc}") from exc
    while True:
        say(f"waiting for a run at {master}; Ctrl-C ends")
        with tempfile.TemporaryDirectory(prefix="deploy-compare-worker-") as scratch:
            _work(master, cpus, scratch, say)
        time.sleep(PAUSE_S)


def _work(master: str, cpus: tuple[int, ...], scratch: str, say: Callable[[str], None]) -> None:
    """A process for one master, as what it leaves half done must not reach the next one's blocks."""
    arguments = ["--master", master, "--cpus", ",".join(map(str, cpus)), "--scratch", scratch]
    with subprocess.Popen(
        child.command("worker", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        process_group=0,  # the terminal's Ctrl-C is ours
    ) as process:
        assert process.stdout is not None
        line = ""
        try:
            for line in process.stdout:
                say(line.rstrip())
            status = process.wait()
        finally:
            process.kill()
    if status == REFUSED:
        raise GeneratorError(f"{master} {line.rstrip()}")
    if status:
        raise GeneratorError(f"the worker ended {f'on signal {-status}' if status < 0 else f'with status {status}'}")
