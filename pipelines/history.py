"""What the journal says was done: which rounds are finished, which blocks count, which cells ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import rounds
from pipelines.experiment import Experiment, Workload
from pipelines.journal import AnyEvent, BlockMeasured, Deployed, Failed, ParityChecked, RoundMeasured, RoundsChosen
from pipelines.plan import Cell


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


def chosen_rounds(events: Sequence[AnyEvent], model: str, workload: str, asked: Experiment) -> int | None:
    """The rounds asked for, or those the pilot chose; None where they are still to be chosen."""
    if asked.load.rounds is not None:
        return asked.load.rounds
    return next(
        (e.rounds for e in events if isinstance(e, RoundsChosen) and (e.model, e.workload) == (model, workload)), None
    )


def finished(events: Sequence[AnyEvent], model: str, asked: Experiment) -> bool:
    """Whether every round of every workload of the model is done."""
    return all(_finished(events, model, workload, asked) for workload in asked.workloads_of(model))


def _finished(events: Sequence[AnyEvent], model: str, workload: Workload, asked: Experiment) -> bool:
    chosen = chosen_rounds(events, model, workload.name, asked)
    return chosen is not None and all(attempt(events, model, workload.name, round_) is None for round_ in range(chosen))


def blocks_ahead(events: Sequence[AnyEvent], cells: Sequence[Cell], asked: Experiment) -> int:
    """How many blocks these planned cells still have before them; at most so many, while a pilot has not chosen."""
    failed = failures(events)
    standing = [cell for cell in cells if cell.id not in failed]
    ahead = 0
    for model in dict.fromkeys(cell.model for cell in standing):
        of_model = [cell.id for cell in standing if cell.model == model]
        for workload in asked.workloads_of(model):
            chosen = chosen_rounds(events, model, workload.name, asked)
            for round_ in range(chosen or rounds.most(asked.load, workload, len(of_model))):
                next_attempt = attempt(events, model, workload.name, round_)
                if next_attempt is not None:
                    done = measured(events, workload.name, round_, next_attempt)
                    ahead += sum(cell not in done for cell in of_model)
    return ahead


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
