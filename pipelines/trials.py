"""What the journal says of a capacity search: which trial comes next on a cell, and what was found. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loadtests import gates, samples
from pipelines import history, results, search, slo
from pipelines.experiment import Capacity, Experiment
from pipelines.journal import AnyEvent, TrialMeasured
from pipelines.plan import Cell
from pipelines.search import Found, Tried

CURVE = (0.10, 0.25, 0.50, 0.75, 0.90, 1.00, 1.10, 1.30)
"""Of the capacity found: where the saturation curve is measured."""
SAMPLES_MARGIN = 1.5
"""A trial expects so many times the requests that its highest percentile needs: Poisson arrivals may be fewer."""
LONGEST_TRIAL_S = 180.0
GONE = "processes_gone"
"""The gate of a server that lost a process: its successor is cold, so no trial after it is of the same server."""
EXPECTED_TRIALS = 13
"""For the time left: two to bracket, five to bisect, a few at the boundary."""


@dataclass(frozen=True)
class Ahead:
    """The next trial of a cell. Where its rate is still to be measured, so is its duration."""

    purpose: Literal["search", "curve"]
    rate_rps: float | None
    """None: as `_start_rps` measures it."""
    duration_s: float


def trials_ahead(events: Sequence[AnyEvent], cells: Sequence[Cell], experiment: Experiment) -> int:
    """About how many trials these cells have before them, those that failed left out."""
    failed, ahead = history.failures(events), 0
    for cell in cells:
        asked = experiment.capacity_of(cell.model)
        if asked and cell.id not in failed and next_trial(events, cell, experiment):
            expected = EXPECTED_TRIALS + (len(CURVE) if asked.curve else 0)
            ahead += max(1, expected - len(finished_trials(events, cell)))
    return ahead


def finished(events: Sequence[AnyEvent], cells: Sequence[Cell], experiment: Experiment) -> bool:
    """Whether nothing is left to search on these cells."""
    return all(next_trial(events, cell, experiment) is None for cell in cells)


def next_trial(events: Sequence[AnyEvent], cell: Cell, experiment: Experiment) -> Ahead | None:
    """What comes next on the cell; None where its search, and its curve, are done, or none is asked for."""
    asked = experiment.capacity_of(cell.model)
    if asked is None:
        return None
    found = _outcome(events, cell, asked, experiment.load.max_repeats)
    if not isinstance(found, Found):
        return Ahead("search", found, trial_s(asked, found) if found else asked.trial_s)
    measured = len(_curve(events, cell, experiment.load.max_repeats))
    if found.rps is None or not asked.curve or measured == len(CURVE):
        return None
    rate_rps = CURVE[measured] * found.rps
    return Ahead("curve", rate_rps, trial_s(asked, rate_rps))


def of_cell(cell: Cell, experiment: Experiment, events: Sequence[AnyEvent]) -> results.Capacity | None:
    """What the events say of the cell's capacity; None where none is asked for, or no trial was finished."""
    asked = experiment.capacity_of(cell.model)
    tried = finished_trials(events, cell, "search")
    if asked is None or not tried:
        return None
    found = _outcome(events, cell, asked, experiment.load.max_repeats)
    if not isinstance(found, Found):
        found = Found(None, reason="the search did not end")
    return results.Capacity(
        slo=slo.describe(asked.slo),
        rps=found.rps,
        ci95=found.ci95,
        distribution=asked.distribution,
        reason=found.reason,
        at_least_rps=found.at_least_rps,
        trials=tuple(event.trial for event in tried),
        curve=tuple(event.trial for event in _curve(events, cell, experiment.load.max_repeats)),
    )


def trial_s(asked: Capacity, rate_rps: float) -> float:
    """Seconds of a trial at this rate: what the highest percentile of the SLO needs, `LONGEST_TRIAL_S` at most."""
    return min(LONGEST_TRIAL_S, max(asked.trial_s, _needed_s(asked, rate_rps)))


def _needed_s(asked: Capacity, rate_rps: float) -> float:
    return SAMPLES_MARGIN * samples.samples_needed(slo.highest(asked.slo)) / rate_rps


def finished_trials(events: Sequence[AnyEvent], cell: Cell, purpose: str | None = None) -> list[TrialMeasured]:
    """The trials of the cell, in the order they were measured; `purpose` None: of the search and the curve."""
    return [
        event
        for event in events
        if isinstance(event, TrialMeasured) and event.cell == cell.id and purpose in {None, event.purpose}
    ]


def _curve(events: Sequence[AnyEvent], cell: Cell, most_repeats: int) -> list[TrialMeasured]:
    """Of each point of the curve that is done, the attempt that counts: the first unspoiled one, or the last."""
    counting, repeats = [], 0
    for event in finished_trials(events, cell, "curve"):
        if _to_repeat(event) and repeats < most_repeats:
            repeats += 1
        else:
            counting.append(event)
            repeats = 0
    return counting


def _to_repeat(event: TrialMeasured) -> bool:
    """Whether measuring again can help: not where the generator was at its ceiling, since it would be again, nor where
    a process of the server ended."""
    return bool(event.spoiled) and not {"generator_cpu", GONE} & set(event.spoiled)


def spoiled(cell: Cell, experiment: Experiment, events: Sequence[AnyEvent]) -> str | None:
    """Why the cell's search, or its curve, is not to be believed, with the remedy; None where nothing spoiled it."""
    if experiment.capacity_of(cell.model) is None:
        return None
    search_, curve = (finished_trials(events, cell, purpose) for purpose in ("search", "curve"))
    return _stayed_spoiled(search_, experiment.load.max_repeats) or _process_gone(curve)


def _stayed_spoiled(tried: Sequence[TrialMeasured], most_repeats: int) -> str | None:
    """Why the search ends without a word of the server; None where it goes on."""
    if reason := _process_gone(tried):
        return reason
    last = list(itertools.takewhile(_to_repeat, tried[::-1]))
    if len(last) <= most_repeats:
        return None
    spoiling = sorted({gate for each in last for gate in each.spoiled})
    said = ", ".join(f"{gate} ({gates.REMEDIES[gate]})" for gate in spoiling)
    return f"{len(last)} trials in a row were spoiled at {last[0].trial.rate_rps:.4g}/s: gate {said}"


def _process_gone(tried: Sequence[TrialMeasured]) -> str | None:
    rates = [each.trial.rate_rps for each in tried if GONE in each.spoiled]
    return f"the trial at {rates[0]:.4g}/s was spoiled: gate {GONE} ({gates.REMEDIES[GONE]})" if rates else None


def _outcome(events: Sequence[AnyEvent], cell: Cell, asked: Capacity, most_repeats: int) -> float | Found | None:
    """The rate of the next trial of the search, or what it found; None where the first rate is still to be measured.

    A spoiled trial does not count and is measured again, `most_repeats` times in a row; one in which the generator was
    at its ceiling is not, since it would be again. One in which a process of the server ended ends the search.
    """
    tried = finished_trials(events, cell, "search")
    if not tried:
        return asked.start_rps
    counting = [
        Tried(
            each.trial.rate_rps,
            held=each.trial.held and each.trial.valid,
            beyond_generator="generator_cpu" in each.spoiled,
        )
        for each in tried
        if not _to_repeat(each)
    ]
    if reason := _stayed_spoiled(tried, most_repeats):
        return Found(None, reason=reason)
    found = search.advance(counting, tried[0].trial.rate_rps, asked.replicates)
    if not isinstance(found, Found) and (length_s := _needed_s(asked, found)) > LONGEST_TRIAL_S:
        percentile = f"p{100 * slo.highest(asked.slo):.0f}"
        return Found(
            None, reason=f"a {percentile} at {found:.3g}/s needs trials of {length_s:.0f} s: bound a lower one"
        )
    return found
