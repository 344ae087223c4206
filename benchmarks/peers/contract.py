"""What a peer's folder offers: `peer.py` with the names of `Peer`, and `requirements.txt`, every package pinned.

A peer may say `DOCUMENTED = False`: its encodings are not in its documentation. It is shown; no bar is judged by it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from benchmarks.models import Array, Model
from benchmarks.pinned import Command
from benchmarks.wire import Request, Response

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Job:
    """What a server is asked to do: serve this model on this port, with one thread for the runtime."""

    model: Model
    python: Path
    """Of the peer's environment."""
    port: int
    scratch: Path
    """An empty folder of its own, removed afterwards; its path is short enough for sockets."""


class Peer(Protocol):
    """A server that is measured. Its docstring says how it is configured, and is printed on the page as it is."""

    __doc__: str | None
    PACKAGE: str
    """The distribution whose version is shown."""
    ENCODINGS: dict[str, str]
    """What `json` and `binary` are for this server, and why that is its best."""

    def start(self, job: Job) -> Command:
        """The command that serves; raises `Missing` where a program of the system is not installed."""

    def request(self, model: Model, form: str) -> Request:
        """The model's sample in `form` (`json` or `binary`)."""

    def answer(self, response: Response) -> Array:
        """The output's values, flat."""


def names() -> list[str]:
    """Names of all peers, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/peer.py"))


def load(name: str) -> Peer:
    """The peer's module; imports nothing of the peer itself."""
    return cast(Peer, importlib.import_module(f"benchmarks.peers.{name}.peer"))


def documented(name: str) -> bool:
    """Whether the bars are judged by this peer."""
    return bool(getattr(load(name), "DOCUMENTED", True))


def requirements(name: str) -> Path:
    """The pins of its environment."""
    return FOLDER / name / "requirements.txt"
