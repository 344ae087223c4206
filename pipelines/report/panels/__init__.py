"""The report's interactive plots, one module a kind: what is drawn for one model, and for the machine. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.report.panels import deployment, forest, generator, over_time, saturation, spectrum, throughput
from pipelines.report.panels.figure import Plot
from pipelines.report.tables.loads import of as loads_of
from pipelines.report.view import ModelView


@dataclass(frozen=True)
class Panels:
    """The plots of one model, as the page groups them."""

    latency: tuple[Plot, ...]
    ratios: dict[str, tuple[Plot, ...]]
    """By workload."""
    capacity: tuple[Plot, ...]
    generator: tuple[Plot, ...]
    deployment: tuple[Plot, ...]


def panels(model: ModelView) -> Panels:
    loads = loads_of(model.cells)
    latency: list[Plot | None] = []
    for workload in dict.fromkeys(load.workload for _, load in loads):
        mine = [(cell, load) for cell, load in loads if load.workload == workload]
        height = over_time.height(len(mine))
        latency += [spectrum.of(workload, mine, model.looks, height), over_time.of(workload, mine, model.looks)]
        if all(load.offered_rps is None for _, load in mine):
            latency.append(throughput.of(workload, mine, model.looks))
    labels = {name: look.label for name, look in model.looks.items()}
    return Panels(
        latency=tuple(plot for plot in latency if plot),
        ratios={ratios.workload: forest.of(ratios, labels) for ratios in model.ratios},
        capacity=saturation.of(model.cells, model.looks),
        generator=generator.of(loads, model.looks) if loads else (),
        deployment=deployment.of(model.cells, model.looks),
    )
