"""How many rounds: those asked for, or what the pilot's spread asks for, within the budget."""

from __future__ import annotations

import numpy as np

from pipelines import design, experiments, known, plan, rounds
from pipelines.experiment import Load
from pipelines.results import BlockFigures, Generator, Percentiles


def load(**fields: object) -> Load:
    workloads = [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": 10}}]
    return Load.model_validate({"workloads": workloads, "block_s": 2, **fields})


def arms(count: int, *, cpu_sd: float, effect: float = 1.0) -> dict[str, list[BlockFigures]]:
    """A pilot of arms whose CPU per request spreads as told, each `effect` times the one before."""
    rng = np.random.default_rng(0)
    return {
        str(arm): [
            BlockFigures(
                round=round_,
                attempt=0,
                requests=500,
                errors=0,
                achieved_rps=100,
                latency_ms=Percentiles(p50=1.0, p90=None, p99=None),
                cpu_ms_per_request=effect**arm * float(np.exp(rng.normal(0, cpu_sd))),
                generator=Generator(lag_p99_ms=0.1, cpu_fraction=0.1),
            )
            for round_ in range(rounds.PILOT)
        ]
        for arm in range(count)
    }


def test_a_number_asked_for_is_the_number() -> None:
    asked = load(rounds=3)
    assert rounds.most(asked, asked.workloads[0], cells=8) == 3


def test_the_budget_bounds_the_rounds_of_all_cells_together_but_not_the_pilot() -> None:
    asked = load(budget_s=60)
    assert rounds.most(asked, asked.workloads[0], cells=4) == 7
    assert rounds.most(asked, asked.workloads[0], cells=50) == rounds.PILOT
    assert rounds.most(asked, asked.workloads[0].model_copy(update={"block_s": 0.5}), cells=4) == 30


def test_a_wider_spread_asks_for_more_rounds_in_whole_periods() -> None:
    calm = rounds.wanted(arms(4, cpu_sd=0.001), closed=False, most=100)
    noisy = rounds.wanted(arms(4, cpu_sd=0.06), closed=False, most=100)
    assert calm == 8
    assert noisy > calm
    assert noisy % 4 == 0
    assert rounds.wanted(arms(4, cpu_sd=0.06), closed=False, most=9) == 9


def test_the_default_experiment_has_room_for_whole_squares_of_its_cells() -> None:
    asked = experiments.load("default")
    cells = len(plan.plan(asked, known.discover()).of_model("minilm"))
    most = {rounds.most(asked.load, workload, cells) for workload in asked.load.workloads}
    assert most == {8}
    assert 8 % design.period(cells) == 0


def test_the_difference_does_not_change_the_number() -> None:
    chosen = {rounds.wanted(arms(2, cpu_sd=0.05, effect=effect), closed=True, most=100) for effect in (1.0, 1.05, 2.0)}
    assert len(chosen) == 1


def test_a_pilot_of_short_blocks_lasts_as_long_as_one_of_long_blocks_within_the_budget() -> None:
    asked = load(budget_s=60)
    workload = asked.workloads[0]
    short = workload.model_copy(update={"block_s": 0.5})
    assert rounds.pilot(asked, workload, cells=2) == 4
    assert rounds.pilot(asked, short, cells=2) == 16
    assert rounds.pilot(load(budget_s=10), short, cells=2) == 10
    assert rounds.pilot(asked, short, cells=100) == rounds.PILOT
    assert rounds.wanted(arms(2, cpu_sd=0.001), closed=False, most=60, least=16) == 16


def test_a_cell_alone_gets_the_least_number() -> None:
    assert rounds.wanted(arms(1, cpu_sd=0.05), closed=False, most=100) == 6
