"""Running the worker: to its end, in bounded time, and what it means when it does not end well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pipelines import worker

ROOT = Path(__file__).parents[1]
LOG_TAIL_LINES = 40

Stage = Literal["export", "verify"]
Reason = Literal["converter_error", "converter_crash", "timeout", "out_of_memory", "disk_full"]


class ExportError(Exception):
    """No artifact, or none that runs: where it failed, why in a classified word, and the log's tail."""

    def __init__(self, stage: Stage, reason: Reason, message: str, detail: str) -> None:
        super().__init__(f"{stage}: {reason}: {message}")
        self.stage, self.reason, self.message, self.detail = stage, reason, message, detail


def run(stage: Stage, arguments: Sequence[str], log: Path, timeout_s: float) -> None:
    """Run the worker to its end; raises `ExportError`, classified."""
    command = [sys.executable, "-m", "pipelines.worker", *arguments]
    with log.open("wb") as output:
        # A session of its own, so that whatever a converter starts ends with it.
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ExportError(stage, "timeout", f"not done after {timeout_s:g} s", _tail(log)) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status:
        raise ExportError(stage, *_classified(status, log), _tail(log))


def _classified(status: int, log: Path) -> tuple[Reason, str]:
    """Reason and message for a worker that ended with this status."""
    text = log.read_text(errors="replace")
    if status == -signal.SIGKILL:
        return "out_of_memory", "killed by SIGKILL, as the kernel does when memory runs out"
    if "std::bad_alloc" in text:
        return "out_of_memory", "native code could not allocate memory (std::bad_alloc)"
    if status < 0:
        return "converter_crash", f"killed by {signal.Signals(-status).name}"
    kinds: dict[int, Reason] = {worker.DISK_FULL: "disk_full", worker.OUT_OF_MEMORY: "out_of_memory"}
    said = [line.removeprefix(worker.FAILED) for line in text.splitlines() if line.startswith(worker.FAILED)]
    return kinds.get(status, "converter_error"), said[-1] if said else f"ended with exit status {status}"


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
