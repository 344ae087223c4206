"""What the journal says was done: which rounds are finished, which blocks count, which cells ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.experiment import Experiment
from pipelines.journal import AnyEvent, BlockMeasured, Deployed, Failed, ParityChecked, RoundMeasured


def failures(events: Sequence[AnyEvent]) -> dict[str, Failed]:
    """The cells that go no further, with why."""
    return {event.cell: event for event in events if isinstance(event, Failed)}


def deployed(events: Sequence[AnyEvent]) -> set[str]:
    """The cells whose cold starts are measured."""
    return {event.cell for event in events if isinstance(event, Deployed)}


def checked(events: Sequence[AnyEvent]) -> set[tuple[str, str]]:
    """The (cell, hop) pairs whose parity is known."""
    return {(event.cell, event.parity.hop) for event in events if isinstance(event, ParityChecked)}


def attempt(events: Sequence[AnyEvent], model: str, workload: str, round_: int) -> int | None:
    """Which attempt at a round comes next, from 0; None where the round is finished."""
    ended = [
        event
        for event in events
        if isinstance(event, RoundMeasured) and (event.model, event.workload, event.round) == (model, workload, round_)
    ]
    return None if any(not event.repeat for event in ended) else len(ended)


def repeats(events: Sequence[AnyEvent], model: str, workload: str) -> int:
    """How many rounds of the workload were, or are to be, measured again."""
    return sum(
        event.repeat
        for event in events
        if isinstance(event, RoundMeasured) and (event.model, event.workload) == (model, workload)
    )


def finished(events: Sequence[AnyEvent], model: str, asked: Experiment) -> bool:
    """Whether every round of every workload of the model is done."""
    return all(
        attempt(events, model, workload.name, round_) is None
        for workload in asked.workloads_of(model)
        for round_ in range(asked.load.rounds)
    )


def measured(events: Sequence[AnyEvent], workload: str, round_: int, attempt: int) -> dict[str, BlockMeasured]:
    """The blocks of one attempt at a round, by cell."""
    return {
        event.cell: event
        for event in events
        if isinstance(event, BlockMeasured)
        and (event.workload, event.round, event.attempt) == (workload, round_, attempt)
    }


def counting_blocks(events: Sequence[AnyEvent], cell: str, workload: str) -> list[BlockMeasured]:
    """The blocks that count, by round: of a round that was repeated, those of the last attempt."""
    by_round: dict[int, BlockMeasured] = {}
    for event in events:
        if isinstance(event, BlockMeasured) and (event.cell, event.workload) == (cell, workload):
            best = by_round.get(event.round)
            if best is None or event.attempt >= best.attempt:
                by_round[event.round] = event
    return [by_round[round_] for round_ in sorted(by_round)]
