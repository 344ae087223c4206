"""From events and samples to results: what spoiled a load is told by the very figure that was judged."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from loadtests.samples import Samples
from pipelines import assemble, load_table, results
from pipelines.experiment import Experiment
from pipelines.figures import number
from pipelines.journal import BlockMeasured, TrialMeasured
from pipelines.plan import Cell, Plan
from tests.pipelines import made

CELL = Cell("m", "torch", "onnx", "fp32", "s", "oip-http")


def raw(late: int, lag_ms: float = 50.0, requests: int = 300) -> Samples:
    """A second of requests of 10 ms, the last `late` of which left late; inf: they never left."""
    intended = np.arange(requests) / requests
    left = np.arange(requests) < requests - late
    sent = intended + np.where(left, 0.0, lag_ms / 1e3 if np.isfinite(lag_ms) else np.nan)
    return Samples(
        payload=np.zeros(requests, np.int32),
        intended=intended,
        sent=sent,
        end=sent + 0.01,
        ok=np.isfinite(sent),
        status=np.where(np.isfinite(sent), 200, 0).astype(np.int16),
        response_bytes=np.ones(requests, np.int64),
        duration_s=1.0,
        open=True,
    )


def assembled(
    *blocks: Samples,
    offered_rps: float = 300.0,
    searched: Sequence[TrialMeasured] = (),
    machine: Mapping[str, float] | None = None,
) -> results.Cell:
    """The cell, measured in these blocks of an open load, and by these trials where its capacity was searched."""
    workloads = [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": offered_rps}}]
    load: dict[str, Any] = {"workloads": workloads, "rounds": len(blocks), "block_s": 1, "max_repeats": 2}
    if searched:
        load["capacity"] = [{"slo": {"p50_ms": 20}}]
    asked = Experiment.model_validate({"name": "t", "models": ["m"], "formats": ["onnx"], "load": load})
    measured = [
        BlockMeasured(
            cell=CELL.id,
            workload="steady",
            round=round_,
            attempt=0,
            samples=str(round_),
            offered_rps=offered_rps,
            duration_s=1.0,
            wall_s=1.0,
            server_cpu_s=0.1,
            memory_peak_bytes=1,
            generator_cpu_fraction=0.1,
            error_kinds={},
            machine=results.Machine.model_validate(machine or {}),
            spoiled=(),
        )
        for round_ in range(len(blocks))
    ]
    facts = assemble.Facts("run", "process", asked, {})
    return assemble.assemble(
        facts, Plan((CELL,), (), 0.0), [*measured, *searched], lambda name: blocks[int(name)]
    ).cells[0]


def trial(*spoiled: str) -> TrialMeasured:
    """One at 50/s that held."""
    measured = results.Trial(
        rate_rps=50,
        achieved_rps=50,
        goodput_rps=50,
        requests=100,
        errors=0,
        latency_ms=results.Percentiles(p50=1, p90=2, p99=None),
        held=True,
        generator=results.Generator(lag_p99_ms=None, cpu_fraction=0.1),
        valid=not spoiled,
    )
    return TrialMeasured(cell=CELL.id, purpose="search", samples="s", duration_s=2, trial=measured, spoiled=spoiled)


def lag_gate(cell: results.Cell) -> results.Gate:
    return next(gate for gate in cell.loads[0].gates if gate.name == "lag")


def test_a_lag_among_too_few_requests_for_a_p99_is_judged_and_not_called_one() -> None:
    cell = assembled(raw(late=10))
    assert cell.loads[0].generator.lag_p99_ms is None
    assert cell.status == "invalid"
    assert cell.reason is not None
    assert "gate lag saw 50 ms at rank 297 of 300 (too few to tell a p99), limit 1" in cell.reason


def test_a_block_that_stayed_spoiled_is_said_to_be_one() -> None:
    gate = lag_gate(assembled(raw(late=10), *[raw(late=0)] * 5))
    assert not gate.passed
    assert gate.unit == "ms at rank 297 of 300 (too few to tell a p99) in one block"


def test_requests_that_never_left_make_the_cell_invalid() -> None:
    cell = assembled(raw(late=10, lag_ms=np.inf))
    assert lag_gate(cell).value is None
    assert cell.status == "invalid"
    assert cell.reason is not None
    assert "gate lag saw ∞ ms" in cell.reason


def test_a_rate_is_not_to_be_lowered_before_the_machine_is_mended() -> None:
    def remedy(*blocks: Samples, **machine: float) -> str:
        gates = assembled(*blocks, offered_rps=400.0, machine=machine).loads[0].gates
        return next(gate.remedy for gate in gates if gate.name == "achieved")

    assert remedy(raw(late=0)) == "the server does not keep up with this rate: lower it"
    assert remedy(raw(late=0), others_server_cores=0.5).startswith("mend others_server_cores first")
    assert remedy(raw(late=10), *[raw(late=0)] * 5).startswith("mend lag first")


def test_a_search_whose_trials_stayed_spoiled_makes_the_cell_invalid() -> None:
    cell = assembled(raw(late=0), searched=[trial("steal")] * 3)
    assert cell.loads[0].valid
    assert (cell.status, cell.stage) == ("invalid", "capacity")
    remedy = "the hypervisor gave our cores away: use a dedicated host"
    assert cell.reason == f"capacity: 3 trials in a row were spoiled at 50/s: gate steal ({remedy})"
    both = assembled(raw(late=10), searched=[trial("steal")] * 3)
    assert (both.status, both.stage) == ("invalid", "load")
    assert "gate lag" in (both.reason or "")
    assert "gate steal" in (both.reason or "")


def test_a_server_that_lost_a_process_in_a_trial_makes_the_cell_invalid() -> None:
    cell = assembled(raw(late=0), searched=[trial("processes_gone")])
    assert (cell.status, cell.stage) == ("invalid", "capacity")
    assert "look at the server's log" in (cell.reason or "")


@pytest.mark.parametrize(("requests", "p99"), [(300, None), (700, 10.0)])
def test_a_p99_is_printed_of_700_requests_and_not_of_300(requests: int, p99: float | None) -> None:
    cell = assembled(raw(late=0, requests=requests), offered_rps=requests)
    (load,) = cell.loads
    assert load.requests == requests
    assert load.latency_ms.p99 == (None if p99 is None else pytest.approx(p99))
    text = io.StringIO()
    load_table.show(made.run(cell), Console(file=text))
    figures = text.getvalue().splitlines()[1].split()
    at = 1 + load_table.HEADER[1:].index("p99 ms")
    assert figures[at - 2 : at + 1] == ["10.0", "10.0", number(p99)]
