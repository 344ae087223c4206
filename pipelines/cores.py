"""The cores while something is measured: this process keeps off the servers', and none of them falls asleep."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

LATENCY = Path("/dev/cpu_dma_latency")
"""Linux' PM QoS (Documentation/power/pm_qos_interface.rst): as long as it is open, no core enters an idle state that it
takes longer to leave than the microseconds written to it, a 32-bit integer."""


@contextlib.contextmanager
def measuring(cpus: Sequence[int]) -> Iterator[None]:
    """This process on `cpus`, so that its work is not booked to a server on the others, and all cores kept awake."""
    with _on(cpus), kept_awake():
        yield


def may_keep_awake() -> bool:
    """Whether this process may ask the kernel for it: root may, as a rule, and in a container not even root."""
    try:
        LATENCY.open("r+b", buffering=0).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _on(cpus: Sequence[int]) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def kept_awake() -> Iterator[None]:
    """An idle core polls, where we may ask for it: what follows a sleep is slower, by how long and deep it was."""
    if not may_keep_awake():
        yield
        return
    with LATENCY.open("r+b", buffering=0) as held:
        held.write(struct.pack("i", 0))
        yield
