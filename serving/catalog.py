"""The servers there are: one folder each under `serving/servers`, described by its `server.yaml`.

`DEPLOY_COMPARE_SERVERS` names one more folder (an absolute path) to find such folders in.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from serving.errors import ServingError, UnknownServer

PLUGINS = "DEPLOY_COMPARE_SERVERS"


def is_grpc(protocol: str) -> bool:
    """Whether a protocol is one of gRPC, by its name: `oip-grpc`, `tfs-grpc`."""
    return protocol.endswith("-grpc")


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
    grpc_arguments: tuple[str, ...] = ()
    """Added to `command`, with the placeholder {grpc_port}, where the protocol is one of gRPC; others do without."""
    ready_path: str
    dockerfile: Path
    """Relative to the folder, or absolute."""
    start_timeout_s: float = 120.0

    @model_validator(mode="after")
    def _reachable(self) -> Server:
        for protocol in self.protocols:
            if is_grpc(protocol) and not any("{grpc_port}" in part for part in self.grpc_arguments):
                raise ValueError(f"{protocol} needs grpc_arguments with {{grpc_port}}")
        return self

    @property
    def requirements(self) -> Path:
        return self.folder / "requirements.txt"


def names() -> list[str]:
    """Names of all servers, sorted; raises `ServingError` where the added folder cannot be used."""
    return sorted(_files())


def load(name: str) -> Server:
    """Read one server's description; raises `UnknownServer`, or `ServingError` where it cannot be used."""
    files = _files()
    if name not in files:
        raise UnknownServer(f"unknown server {name!r}; known: {', '.join(sorted(files))}")
    path = files[name]
    try:
        return Server(name=name, folder=path.parent, **yaml.safe_load(path.read_text()))
    except (OSError, ValueError, yaml.YAMLError, TypeError) as exc:
        raise ServingError(f"{path}: {exc}") from exc


def _files() -> dict[str, Path]:
    """The `server.yaml` of each server by its name."""
    found: dict[str, Path] = {}
    for path in (path for place in _places() for path in place.glob("*/server.yaml")):
        name = path.parent.name
        if name in found:
            raise ServingError(f"two are called {name!r}, rename one: {found[name]} and {path}")
        found[name] = path
    return found


def _places() -> list[Path]:
    shipped, added = Path(__file__).parent / "servers", os.environ.get(PLUGINS)
    if not added:
        return [shipped]
    if not (Path(added).is_absolute() and Path(added).is_dir()):
        raise ServingError(f"{PLUGINS}: expected the absolute path of a folder that exists, found {added!r}")
    return [shipped, Path(added)]
