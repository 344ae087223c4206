"""The servers there are: one folder each under `serving/servers`, described by its `server.yaml`.

`DEPLOY_COMPARE_SERVERS` names one more folder (an absolute path) to find such folders in.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

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
    """Names of all servers, sorted."""
    return sorted(_folders())


def load(name: str) -> Server:
    """Read one server's description; raises `UnknownServer`, or `ServingError` where its `server.yaml` is malformed."""
    folders = _folders()
    if name not in folders:
        raise UnknownServer(f"unknown server {name!r}; known: {', '.join(sorted(folders))}")
    path = folders[name] / "server.yaml"
    try:
        return Server(name=name, folder=folders[name], **yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError, TypeError) as exc:
        raise ServingError(f"{path}: {exc}") from exc


def _folders() -> dict[str, Path]:
    places = [Path(__file__).parent / "servers"]
    if os.environ.get(PLUGINS):
        places.append(Path(os.environ[PLUGINS]))
    return {path.parent.name: path.parent for place in places for path in place.glob("*/server.yaml")}
