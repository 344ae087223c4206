"""How many rounds of blocks a workload gets: those asked for, or what its pilot says within the time allowed. Pure."""

from __future__ import annotations

from pipelines.experiment import Load, Workload

PILOT = 4
"""Rounds after which the number is chosen, where the experiment leaves it open. They count like all others."""


def block_s(load: Load, workload: Workload) -> float:
    """Seconds of one block of the workload."""
    return workload.block_s or load.block_s


def most(load: Load, workload: Workload, cells: int) -> int:
    """The most rounds that `cells` cells of one model can get: those asked for, or as many as fit into `budget_s`.

    A pilot is measured in any case.
    """
    if load.rounds is not None:
        return load.rounds
    return max(PILOT, int(load.budget_s / (max(1, cells) * block_s(load, workload))))
