"""
Everything that can go wrong where loads are measured.

* LoadTestError
  * UnknownProtocol
  * ProtocolError
  * NotReady
  * PayloadError
  * ReplayError
  * SamplesError
  * GeneratorError
"""

from __future__ import annotations


class LoadTestError(Exception):
    """Root of the package's failures. `detail` is the log's tail where there is one."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class UnknownProtocol(LoadTestError):
    """No module of that name under `loadtests.protocols`."""


class ProtocolError(LoadTestError):
    """The server answered, but wrongly: an error status, or a response that is not what the protocol says."""


class NotReady(LoadTestError):
    """No answer yet: nothing listens, the connection broke, the time was up, or the server said 503."""


class PayloadError(LoadTestError):
    """The file of requests cannot be written or read, or holds none."""


class ReplayError(LoadTestError):
    """The recorded schedule cannot be read, or names a payload that there is not."""


class SamplesError(LoadTestError):
    """The file of samples cannot be read, or is not one."""


class GeneratorError(LoadTestError):
    """The load generator ended, hung, or could not measure the block; the next `run` starts a new one."""
