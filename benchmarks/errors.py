"""
What can go wrong where peers are measured. Each costs the peer its rows, never the run.

* BenchmarkError
  * Missing
  * NotInstalled
  * NotStarted
  * WrongAnswer
  * LoadFailed
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """Root of the failures; the message is the reason that the row shows."""


class Missing(BenchmarkError):
    """A program of the system is not installed; the message names the remedy."""


class NotInstalled(BenchmarkError):
    """The peer's environment cannot be built."""


class NotStarted(BenchmarkError):
    """The server ended, or gave no answer in time."""


class WrongAnswer(BenchmarkError):
    """The server's answer is not what the model computes."""


class LoadFailed(BenchmarkError):
    """The load generator could not do its work."""
