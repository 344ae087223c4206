"""The folder of a run, `runs/<id>/`: who may write it, where its files are, and which is the latest."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import BadRun, OutputUnwritable

DEFAULT = Path("runs")
LEAST_BYTES = 1_000_000
"""A block's samples, and what the journal says of it."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def experiment(self) -> Path:
        return self.path / "experiment.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def results(self) -> Path:
        return self.path / "results.json"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def described(self) -> dict[str, Any]:
        """What `environment.json` says; raises `BadRun` where it is missing or damaged."""
        try:
            found = json.loads(self.environment.read_text())
            if not isinstance(found, dict) or not {"engine", "budget"} <= found.keys():
                raise ValueError("no engine and budget in it")
        except (OSError, ValueError) as exc:
            raise BadRun(f"{self.environment}: cannot be read: {exc}") from exc
        return found

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Held by the one process that works on the run; raises `BadRun` where another one does."""
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise BadRun(f"run {self.id} is still going on in another process") from exc
            yield


def create(out: Path, name: str) -> RunFolder:
    """A new run's folder, `<date>-<time>-<experiment>`, and `latest` pointing at it; raises `OutputUnwritable`."""
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    with writable(out):
        out.mkdir(parents=True, exist_ok=True)
        for attempt in range(1000):
            folder = RunFolder(out.absolute() / (f"{stem}-{attempt}" if attempt else stem))
            with contextlib.suppress(FileExistsError):
                folder.path.mkdir()
                break
        folder.samples.mkdir()
        folder.logs.mkdir()
        pointer = out / f".latest-{os.getpid()}"
        pointer.symlink_to(folder.id)
        pointer.replace(out / "latest")
    return folder


def of_experiment(out: Path, name: str) -> list[RunFolder]:
    """The runs below `out` of experiments of that name, the newest first."""
    folders = [RunFolder(path.parent.absolute()) for path in out.glob(f"*-{name}*/experiment.yaml")]
    own = [folder for folder in folders if re.fullmatch(rf"\d{{8}}-\d{{6}}-{re.escape(name)}(-\d+)?", folder.id)]
    return sorted(own, key=lambda folder: (folder.id[:15], len(folder.id), folder.id), reverse=True)


def find(run: str, out: Path = DEFAULT) -> RunFolder:
    """A run by its folder or by its id below `out`; raises `BadRun`."""
    with contextlib.suppress(OSError):  # a name too long to look for
        for path in (Path(run), out / run):
            if (path / "results.json").is_file():
                return RunFolder(path.resolve())
    known = sorted(path.parent.name for path in out.glob("*/results.json") if not path.parent.is_symlink())
    raise BadRun(
        f"unknown run {run[:200]!r}: no folder with a results.json; known below {out}: {', '.join(known) or 'none'}"
    )


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turns whatever the file system refuses below `path` into one clear `OutputUnwritable`."""
    try:
        with not_full(path):
            yield
    except OSError as exc:
        raise OutputUnwritable(f"cannot write to {path}: {exc.strerror or exc}") from exc


def require_space(path: Path) -> None:
    """Raises `OutputUnwritable` where the disk of `path` has no room for another file."""
    if shutil.disk_usage(path).free < LEAST_BYTES:
        raise _full(path)


def _full(path: Path) -> OutputUnwritable:
    return OutputUnwritable(f"the disk of {path} is full; free some space, then continue: a run by --resume")


@contextlib.contextmanager
def not_full(path: Path) -> Iterator[None]:
    """Turns a full disk into one clear `OutputUnwritable`; other failures are not the disk's, and pass."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise _full(path) from exc


def write(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never a half."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
