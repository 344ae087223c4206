"""Interleaved blocks of endpoints that already run, without a run around them: the same design, the same decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.block import Arrivals
from loadtests.launch import Generator
from pipelines import results
from serving.engines.contract import Usage


@dataclass(frozen=True)
class Arm:
    """A running endpoint, and how it is loaded."""

    name: str
    """What it is called in comparisons; each arm of a trial has its own."""
    url: str
    protocol: str
    model: str
    payloads: Path
    """An `.npz` of `loadtests.payloads.save`."""
    arrivals: Arrivals
    usage: Callable[[], Usage] | None = None
    """CPU and memory of the server so far; None where it is not ours to look into."""
    cpus: tuple[int, ...] = ()
    """The cores it is on; empty where that is not known."""


def trial(
    arms: Sequence[Arm],
    generator: Generator,
    *,
    budget_s: float,
    block_s: float,
    seed: int,
    say: Callable[[str], None] | None = None,
) -> list[results.Comparison]:
    """Compare the arms on `budget_s` seconds of measured blocks of all of them together; a pilot may ask for fewer.

    Raises `LoadTestError` where a block could not be measured, and `ServerGone` where a server has ended.
    """
    raise NotImplementedError
