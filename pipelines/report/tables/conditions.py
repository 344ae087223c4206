"""One row a load: the generator's lag and CPU, what else the machine did, and every gate. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pipelines.figures import number
from pipelines.report.looks import Look
from pipelines.report.tables import NONE, Badge, Item, Row, Table, words
from pipelines.report.tables.cells import named
from pipelines.report.tables.loads import measured, of, saw
from pipelines.results import Cell, Gate, Load, Machine


def table(cells: Sequence[Cell], looks: Mapping[str, Look]) -> Table:
    """Of the machine's readings the worst block; without those this machine does not tell."""
    columns = (
        ("Workload", ""),
        ("Cell", ""),
        ("Blocks", "repeats"),
        ("Lag", "ms, p50 / p90 / p99; judged"),
        ("Generator CPU", "% of a core"),
        ("Others", "% of server's cores"),
        ("Others", "% of generator's"),
        ("Steal", "% of the time"),
        ("Pressure", "% of the time"),
        ("Clock", "% of the highest"),
        ("Throttled", "times"),
        ("Processes gone", ""),
        ("Gates", ""),
    )
    rows, last = [], None
    for cell, load in of(cells):
        kind = " ".join(("starts" * (load.workload != last), "invalid" * (not load.valid))).strip()
        rows.append(Row(_items(cell, load, looks[cell.id].label), kind))
        last = load.workload
    return Table(columns, tuple(rows)).without_empty()


def _items(cell: Cell, load: Load, label: str) -> tuple[Item, ...]:
    machines = [block.machine for block in load.blocks]
    repeats = sum(block.attempt for block in load.blocks)
    return (
        words(load.workload),
        named(cell, label),
        Item(str(len(load.blocks)), below=f"{repeats} repeat{'s' * (repeats != 1)}" if repeats else ""),
        _lag(load),
        _percent(load.generator.cpu_fraction),
        _percent(_worst(machines, lambda machine: machine.others_server_cores)),
        _percent(_worst(machines, lambda machine: machine.others_generator_cores)),
        _percent(_worst(machines, lambda machine: machine.steal)),
        _percent(_worst(machines, lambda machine: machine.pressure)),
        _percent(_least(machine.frequency_ratio for machine in machines)),
        Item(number(_worst(machines, lambda machine: machine.throttled))),
        _gone(sum(machine.processes_gone or 0 for machine in machines)),
        Item(kind="text gates", badges=tuple(map(_badge, load.gates))),
    )


def _lag(load: Load) -> Item:
    """Below it what the gate judged, where that is not the p99 of all blocks: of too few requests, or of one block."""
    lag, gate = load.lag_ms, lag_gate(load)
    p99 = lag.p99 if lag.p99 is not None else load.generator.lag_p99_ms
    below = measured(gate) if gate and (gate.value is None or gate.value != p99) else ""  # None is infinite
    return Item(f"{number(lag.p50)} / {number(lag.p90)} / {number(p99)}", below=below)


def lag_gate(load: Load) -> Gate | None:
    return next((gate for gate in load.gates if gate.name == "lag"), None)


def _badge(gate: Gate) -> Badge:
    if gate.passed:
        return Badge(f"✓ {gate.name}", "ok", saw(gate))
    return Badge(f"✗ {gate.name}", "failed", f"{saw(gate)}: {gate.remedy}")


def _gone(count: int) -> Item:
    """Nothing where none ended: only a server that lost a process is worth a column."""
    return Item(str(count)) if count else Item(NONE)


def _worst(machines: Iterable[Machine], figure: Callable[[Machine], float | None]) -> float | None:
    return max((value for machine in machines if (value := figure(machine)) is not None), default=None)


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _percent(fraction: float | None) -> Item:
    return Item(number(None if fraction is None else 100 * fraction))
