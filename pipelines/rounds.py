"""How many rounds of blocks a workload gets: those asked for, or what its pilot says within the time allowed. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from pipelines import decide, design, stats
from pipelines.experiment import Load, Workload
from pipelines.results import BlockFigures

PILOT, PILOT_S = 4, 8.0
"""Rounds, and seconds of each cell's blocks, after which the number is chosen, where the experiment leaves it open.

They count like all others: it is chosen from the spread alone and never from the difference, so that having looked
biases no verdict (an internal pilot; J. Wittes and E. Brittain, 1990). Seconds, because a machine is slow for seconds:
a few short rounds may all be of one such time, and their spread says nothing of the next."""


def block_s(load: Load, workload: Workload) -> float:
    """Seconds of one block of the workload."""
    return workload.block_s or load.block_s


def most(load: Load, workload: Workload, cells: int) -> int:
    """The most rounds that `cells` cells of one model can get: those asked for, or as many as fit into `budget_s`.

    A pilot is measured in any case.
    """
    if load.rounds is not None:
        return load.rounds
    return fitting(load.budget_s, block_s(load, workload), cells)


def fitting(budget_s: float, block_s: float, arms: int) -> int:
    """The rounds of one block of each arm that fit into the budget; a pilot at least."""
    return max(PILOT, int(budget_s / (max(1, arms) * block_s) + 1e-9))


def pilot(load: Load, workload: Workload, cells: int) -> int:
    """The rounds of the pilot, within the budget but four at least."""
    length_s = block_s(load, workload)
    return min(fitting(load.budget_s, length_s, cells), max(PILOT, math.ceil(PILOT_S / length_s - 1e-9)))


def wanted(arms: Mapping[str, Sequence[BlockFigures]], *, closed: bool, most: int, least: int = PILOT) -> int:
    """The rounds that would call any two equal arms equivalent, at the spread of the blocks so far.

    As `stats.blocks_for` has it. Few rounds tell a spread badly, so its upper bound counts (`stats.sd_bound`): of the
    metrics that a kind of load is about (CPU per request, and requests/s of a closed or p50 of an open one) and of all
    pairs the widest. Rounded up to whole periods of the design; `least`, the pilot's, and `most` bound it.
    """
    metrics = ("cpu_ms_per_request", "achieved_rps" if closed else "latency_ms.p50")
    ratios = (decide.ratio(arms[a], arms[b], metric) for a, b in itertools.combinations(arms, 2) for metric in metrics)
    bounds = (stats.sd_bound(found.sd_log, found.pairs) for found in ratios if found and found.sd_log is not None)
    sd_log = max(bounds, default=0.0)
    period = design.period(max(1, len(arms)))
    return max(least, min(most, math.ceil(max(least, stats.blocks_for(sd_log)) / period) * period))
