"""How a command ends: exit statuses, what the user can mend as one line, and Ctrl-C in good order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import typer
from rich.console import Console

from pipelines.errors import BadInput

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


@contextlib.contextmanager
def reporting(
    console: Console,
    interrupted: str = "interrupted: what is finished is saved; the same command with --resume continues",
) -> Iterator[None]:
    """What the user can mend becomes one line on standard error and its exit status; all else keeps its traceback."""
    from loadtests.errors import LoadTestError
    from models.errors import ModelError
    from serving.errors import ServingError

    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        yield
    except (BadInput, ModelError, LoadTestError, ServingError) as exc:
        errors.print("error: " + " ".join(str(exc).split()))
        raise typer.Exit(BAD_INPUT) from exc
    except KeyboardInterrupt as exc:
        console.print(interrupted)
        raise typer.Exit(INTERRUPTED) from exc


@contextlib.contextmanager
def stoppable(
    console: Console, saying: str = "stopping: saving what is finished, removing what was started"
) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the run in good order; a second one does not cut its tidying short."""
    stopping = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            console.print("still tidying up: containers and processes of this run are being removed")
            return
        stopping = True
        console.print(saying)
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
