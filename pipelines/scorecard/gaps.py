"""What a scorecard could not judge of a model, and why: a verdict that is missing must not look like a draw. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.results import Cell
from pipelines.scorecard.lines import FRAMEWORKS, Axis, Gap, Line

MEASURED: tuple[Axis, ...] = ("fidelity", "footprint", "speed")
"""Reach is counted, and never has a gap."""
NO_LOAD = "no load is valid"


def of(model: str, working: Sequence[Cell], lines: Sequence[Line]) -> list[Gap]:
    """Axes without a figure on both sides, and the workloads in which no load is valid; of one model's lines."""
    found = []
    for axis in MEASURED:
        why = _why(axis, working, [line for line in lines if line.axis == axis])
        if why:
            found.append(Gap(axis, model, (), why))
    spoiled = _spoiled(working)
    if spoiled and not any(gap.axis == "speed" for gap in found):
        found.append(Gap("speed", model, spoiled, NO_LOAD))
    return found


def _why(axis: Axis, working: Sequence[Cell], lines: Sequence[Line]) -> str | None:
    """Why the axis compares nothing; None where it does, or where only one framework has come so far."""
    if not working:
        return "no path worked to the end"
    if any(line.torch.best and line.tensorflow.best for line in lines):
        return None
    have = [framework for framework in FRAMEWORKS if any(line.side(framework).paths for line in lines)]
    if not have:
        return NO_LOAD if axis == "speed" and _spoiled(working) else "nothing was measured"
    if len({cell.framework for cell in working} & set(FRAMEWORKS)) < len(FRAMEWORKS):
        return None
    return f"only {FRAMEWORKS[have[0]]} has a valid figure" if len(have) == 1 else "no figure is of both"


def _spoiled(working: Sequence[Cell]) -> tuple[str, ...]:
    """The workloads of which no cell has a valid load."""
    loads = [load for cell in working for load in cell.loads]
    valid = {load.workload for load in loads if load.valid}
    return tuple(dict.fromkeys(load.workload for load in loads if load.workload not in valid))
