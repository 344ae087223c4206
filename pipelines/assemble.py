"""From a plan, the journal's events and the raw samples to results. Pure but for reading samples through `read`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from loadtests import gates, machine, samples
from loadtests.machine import Readings
from loadtests.samples import Samples
from pipelines import blocks, decide, history, results, slo, trials
from pipelines.experiment import Experiment, Workload
from pipelines.journal import (
    AnyEvent,
    BlockMeasured,
    Deployed,
    Exported,
    ParityChecked,
    QualityChecked,
    Sitting,
    TrialMeasured,
    WarmedUp,
)
from pipelines.plan import Cell, Plan

Read = Callable[[str], Samples]
"""The raw samples of a block, by the name the journal has for them."""

INTERVALS = 40
"""Into which the window of a load's blocks is cut to show latency over time."""
SPECTRUM = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What names a run: everything in `results.json` that is not a measurement."""

    run_id: str
    engine: str
    experiment: Experiment
    environment: dict[str, Any]


def assemble(facts: Facts, plan: Plan, events: Sequence[AnyEvent], read: Read) -> results.Results:
    """Every planned cell, done or not, and every skipped one, with all that the events say of it."""
    cells = [_cell(cell, facts, events, read) for cell in plan.cells]
    skipped = [
        results.Cell(id=skip.cell.id, **_parts(skip.cell), engine=facts.engine, status="skipped", reason=skip.reason)
        for skip in plan.skipped
    ]
    counting = [block for cell in cells for load in cell.loads for block in load.blocks]
    return results.Results(
        run_id=facts.run_id,
        complete=all(cell.status in {"ok", "invalid"} or cell.stage is not None for cell in cells),
        experiment=facts.experiment.model_dump(mode="json"),
        environment=facts.environment,
        timing=results.Timing(
            total_s=sum(event.seconds for event in events if isinstance(event, Sitting)),
            measuring_s=sum(event.duration_s for event in events if isinstance(event, BlockMeasured | TrialMeasured)),
            blocks=len(counting),
        ),
        cells=(*cells, *skipped),
        comparisons=tuple(_comparisons(cells)),
    )


def _cell(cell: Cell, facts: Facts, events: Sequence[AnyEvent], read: Read) -> results.Cell:
    own = [event for event in events if getattr(event, "cell", None) == cell.id]
    failed = history.failures(own).get(cell.id)
    loads = tuple(_loads(cell, facts.experiment, own, read))
    done, unsearched = _done(cell, facts.experiment, events, loads), trials.spoiled(cell, facts.experiment, own)
    status, stage, reason, detail = _standing(done, loads, unsearched, own)
    if failed:
        status, stage, reason, detail = "failed", failed.stage, failed.reason, failed.detail or None
    return results.Cell(
        id=cell.id,
        **_parts(cell),
        engine=facts.engine,
        status=status,
        stage=stage,
        reason=reason,
        detail=detail,
        export=next((event.export for event in own if isinstance(event, Exported)), None),
        parity=tuple(_parity(own)),
        quality=next((event.quality for event in own if isinstance(event, QualityChecked)), None),
        deploy=_deploy(own),
        loads=loads,
        capacity=trials.of_cell(cell, facts.experiment, own),
        warm_up=next((event.warm_up for event in reversed(own) if isinstance(event, WarmedUp)), None),
    )


def _parts(cell: Cell) -> dict[str, Any]:
    return dataclasses.asdict(cell)


def _standing(
    done: bool, loads: Sequence[results.Load], unsearched: str | None, own: Sequence[AnyEvent]
) -> tuple[results.Status, results.Stage | None, str | None, str | None]:
    """Of a cell that did not fail: ok, invalid with the gates that say so, or cut off before it was done.

    `unsearched` is what spoiled its search for capacity.
    """
    if not done:
        count = sum(isinstance(event, BlockMeasured) for event in own)
        return "failed", None, f"interrupted after {count} block{'s' * (count != 1)}; continue with --resume", None
    spoiled = [f"{load.workload}: {_failed(gate)}" for load in loads for gate in load.gates if not gate.passed]
    reasons = [*spoiled, *([f"capacity: {unsearched}"] if unsearched else [])]
    if not reasons:
        return "ok", None, None, None
    return "invalid", "load" if spoiled else "capacity", "; ".join(reasons), None


def _failed(gate: results.Gate) -> str:
    seen = "∞" if gate.value is None else f"{gate.value:.3g}"
    return f"gate {gate.name} saw {seen} {gate.unit}, limit {gate.limit:.3g}; {gate.remedy}"


def _done(cell: Cell, experiment: Experiment, events: Sequence[AnyEvent], loads: Sequence[results.Load]) -> bool:
    """Whether every workload has all its rounds, and the search for capacity ended."""
    blocks_of = {load.workload: len(load.blocks) for load in loads}
    return trials.finished(events, [cell], experiment) and all(
        history.chosen_rounds(events, cell.model, workload.name, experiment) == blocks_of.get(workload.name, 0)
        for workload in experiment.workloads_of(cell.model)
    )


def _parity(own: Sequence[AnyEvent]) -> list[results.Parity]:
    """The worst answer of each hop, in the hops' order: a hop is checked on many inputs, under load block by block."""
    worst: dict[str, results.Parity] = {}
    for event in own:
        if isinstance(event, ParityChecked):
            hop = event.parity.hop
            worst[hop] = max(worst.get(hop, event.parity), event.parity, key=_badness)
    return [worst[hop] for hop in ("source", "artifact", "served", "under_load") if hop in worst]


def _badness(parity: results.Parity) -> tuple[bool, float]:
    return (not parity.passed, float("inf") if parity.max_rel_error is None else parity.max_rel_error)


def _deploy(own: Sequence[AnyEvent]) -> results.Deploy | None:
    deploy = next((event.deploy for event in own if isinstance(event, Deployed)), None)
    measured = [event.memory_peak_bytes for event in own if isinstance(event, BlockMeasured)]
    peaks = [peak for peak in measured if peak is not None]
    return deploy.model_copy(update={"memory_peak_bytes": max(peaks)}) if deploy and peaks else deploy


def _loads(cell: Cell, experiment: Experiment, own: Sequence[AnyEvent], read: Read) -> list[results.Load]:
    loads = []
    limit_ms = _limit_ms(cell.model, experiment)
    for workload in experiment.workloads_of(cell.model):
        events = history.counting_blocks(own, cell.id, workload.name)
        if events:
            loads.append(_load(workload, events, [read(event.samples) for event in events], limit_ms))
    return loads


def _limit_ms(model: str, experiment: Experiment) -> float | None:
    search = experiment.capacity_of(model)
    return slo.limit_ms(search.slo) if search else None


def _load(
    workload: Workload, events: Sequence[BlockMeasured], raw: Sequence[Samples], limit_ms: float | None
) -> results.Load:
    pooled = samples.figures(*raw)
    each = [samples.figures(block) for block in raw]
    offered = [event.offered_rps for event in events if event.offered_rps is not None]
    offered_rps = sum(offered) / len(offered) if offered else None
    server_cpu_s = [event.server_cpu_s for event in events if event.server_cpu_s is not None]
    cpu_fraction = max(event.generator_cpu_fraction for event in events)
    judged = _gates(pooled, each, events, offered_rps)
    return results.Load(
        workload=workload.name,
        offered_rps=offered_rps,
        achieved_rps=pooled.requests_per_s,
        requests=pooled.requests,
        errors=pooled.errors,
        goodput_rps=_goodput_rps(raw, limit_ms) if limit_ms else None,
        payload_batch=workload.payload_batch,
        latency_ms=blocks.percentiles(pooled.latency_ms),
        latency_upper_ms=blocks.percentiles(pooled.latency_upper_ms),
        service_ms=blocks.percentiles(pooled.service_ms),
        lag_ms=blocks.percentiles(pooled.lag_ms),
        over_time=tuple(
            results.Instant(**dataclasses.asdict(interval)) for interval in samples.over_time(raw, INTERVALS)
        ),
        spectrum_ms=tuple(samples.spectrum(raw, SPECTRUM)),
        cpu_ms_per_request=blocks.cpu_ms_per_request(
            sum(server_cpu_s) if len(server_cpu_s) == len(events) else None, pooled
        ),
        generator=results.Generator(lag_p99_ms=pooled.lag_ms.p99, cpu_fraction=cpu_fraction),
        valid=all(gate.passed for gate in judged),
        gates=tuple(results.Gate(**dataclasses.asdict(gate)) for gate in judged),
        blocks=tuple(blocks.of_event(event, seen) for event, seen in zip(events, each, strict=True)),
    )


def _gates(
    pooled: samples.Figures,
    each: Sequence[samples.Figures],
    events: Sequence[BlockMeasured],
    offered_rps: float | None,
) -> tuple[gates.Gate, ...]:
    """Those of the load as a whole; where a block is still spoiled after all repeats, its failed gate in their place.

    A p99 needs more requests and is withheld without them; a load too short for a p90 is not worth reporting.
    """
    readings = [Readings(**event.machine.model_dump()) for event in events]
    spoiled = {
        gate.name: dataclasses.replace(gate, unit=f"{gate.unit} in one block")
        for event, figures, seen in zip(events, each, readings, strict=True)
        for gate in gates.judge(
            figures, offered_rps=None, cpu_fraction=event.generator_cpu_fraction, machine=seen, least_requests=1
        )
        if gate.name in gates.SPOILING and not gate.passed
    }
    judged = gates.judge(
        pooled,
        offered_rps=offered_rps,
        cpu_fraction=max(event.generator_cpu_fraction for event in events),
        machine=machine.worst(readings),
        least_requests=samples.samples_needed(0.90),
    )
    return gates.explained([gate if not gate.passed else spoiled.get(gate.name, gate) for gate in judged])


def _goodput_rps(raw: Sequence[Samples], limit_ms: float) -> float:
    """Of all blocks, weighted by their windows."""
    good = sum(samples.goodput_rps(block, limit_ms) * block.duration_s for block in raw)
    return good / sum(block.duration_s for block in raw)


def _comparisons(cells: Sequence[results.Cell]) -> list[results.Comparison]:
    """The cells of each model that did not fail, on each workload in which two of them or more are valid."""
    arms: dict[tuple[str, str], dict[str, Sequence[results.BlockFigures]]] = {}
    for cell in cells:
        for load in cell.loads if cell.status != "failed" else ():
            if load.valid:
                arms.setdefault((cell.model, load.workload), {})[cell.id] = load.blocks
    return [found for (_, workload), of in arms.items() for found in decide.comparisons(of, workload)]
