"""The servers there are: one folder each under `serving/servers`, described by its `server.yaml`."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from serving.errors import ServingError, UnknownServer

FOLDER = Path(__file__).parent / "servers"


class Server(BaseModel):
    """A server's description. Placeholders in `command`: {artifact} {host} {port} {threads}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """The folder's name."""
    folder: Path
    runtime: str
    """The library that executes the artifact."""
    formats: tuple[str, ...]
    """The export formats it accepts."""
    protocols: tuple[str, ...]
    command: tuple[str, ...]
    """What to start, without the interpreter: `-m serving.reference …` is run by the environment's Python."""
    ready_path: str
    dockerfile: Path
    """Relative to the folder."""
    start_timeout_s: float = 120.0

    @property
    def requirements(self) -> Path:
        return self.folder / "requirements.txt"


def names() -> list[str]:
    """Names of all servers, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/server.yaml"))


def load(name: str) -> Server:
    """Read one server's description; raises `UnknownServer`, or `ServingError` where its `server.yaml` is malformed."""
    path = FOLDER / name / "server.yaml"
    if name not in names():
        raise UnknownServer(f"unknown server {name!r}; known: {', '.join(names())}")
    try:
        return Server(name=name, folder=path.parent, **yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError, TypeError) as exc:
        raise ServingError(f"{path}: {exc}") from exc
