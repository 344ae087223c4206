"""
Everything that can go wrong where servers run.

* ServingError
  * UnknownServer
  * EngineUnavailable
  * BuildFailed
  * DidNotStart
  * ServerGone
"""

from __future__ import annotations


class ServingError(Exception):
    """Root of the package's failures. `detail` is the log's tail where there is one."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class UnknownServer(ServingError):
    """No folder of that name under `serving/servers`."""


class EngineUnavailable(ServingError):
    """The engine cannot work on this machine; the message names the remedy."""


class BuildFailed(ServingError):
    """An image or an environment could not be built."""


class DidNotStart(ServingError):
    """The server ended, or gave no correct response in time."""


class ServerGone(ServingError):
    """The server ended while it was in use."""
