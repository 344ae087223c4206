"""Running a job: to its end, in bounded time, and what it means when it does not end well."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pipelines import job
from pipelines.launch import Launch, Program

LOG_TAIL_LINES = 40
LONGEST_LOG = 1_000_000
"""Characters."""

Stage = Literal["export", "verify"]
Reason = Literal["converter_error", "converter_crash", "timeout", "out_of_memory", "disk_full"]


class ExportError(Exception):
    """No artifact, or none that runs: where it failed, why in a classified word, and the log's tail."""

    def __init__(self, stage: Stage, reason: Reason, message: str, detail: str, log: str = "") -> None:
        super().__init__(f"{stage}: {reason}: {message}")
        self.stage, self.reason, self.message, self.detail = stage, reason, message, detail
        self.log = log
        """All of it, up to its last megabyte."""


def run(
    stage: Stage,
    arguments: Sequence[str],
    log: Path,
    timeout_s: float,
    launch: Launch = Program("pipelines.worker").run,  # noqa: B008 - stateless
) -> None:
    """Run a job to its end; raises `ExportError`, classified."""
    with log.open("wb") as output:
        try:
            status = launch(arguments, output, timeout_s)
        except TimeoutError:
            raise _error(stage, "timeout", f"not done after {timeout_s:g} s", log) from None
    if status:
        raise _error(stage, *_classified(status, log), log)


def _error(stage: Stage, reason: Reason, message: str, log: Path) -> ExportError:
    text = log.read_text(errors="replace")[-LONGEST_LOG:]
    return ExportError(stage, reason, message, "\n".join(text.splitlines()[-LOG_TAIL_LINES:]), text)


def _classified(status: int, log: Path) -> tuple[Reason, str]:
    """Reason and message for a worker that ended with this status."""
    text = log.read_text(errors="replace")
    if status == -signal.SIGKILL:
        return "out_of_memory", "killed by SIGKILL, as the kernel does when memory runs out"
    if "std::bad_alloc" in text:
        return "out_of_memory", "native code could not allocate memory (std::bad_alloc)"
    if status < 0:
        return "converter_crash", f"killed by {signal.Signals(-status).name}"
    kinds: dict[int, Reason] = {job.DISK_FULL: "disk_full", job.OUT_OF_MEMORY: "out_of_memory"}
    said = [line.removeprefix(job.FAILED) for line in text.splitlines() if line.startswith(job.FAILED)]
    return kinds.get(status, "converter_error"), said[-1] if said else f"ended with exit status {status}"
