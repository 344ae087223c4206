"""From a planned cell to a candidate: its server's image or environment, its artifact, and proof that it is right."""

from __future__ import annotations

from collections.abc import Sequence

from models.cases import Reference
from models.errors import ModelError
from pipelines import artifacts, history, results
from pipelines.artifacts import Artifact, ExportError
from pipelines.journal import Exported, ParityChecked
from pipelines.plan import Cell
from pipelines.served import describe, record
from pipelines.sitting import Candidate, Sitting
from serving import catalog
from serving.engines.contract import Prepared
from serving.errors import EngineUnavailable, ServingError


def servers(sitting: Sitting, cells: Sequence[Cell]) -> dict[str, Prepared]:
    """Build or find what each server starts from; the cells of one that cannot be built fail."""
    prepared: dict[str, Prepared] = {}
    for name in dict.fromkeys(cell.server for cell in cells):
        sitting.display.step("prepare", name)
        try:
            prepared[name] = sitting.engine.prepare(catalog.load(name), sitting.display.say)
        except EngineUnavailable:
            raise
        except ServingError as exc:
            for cell in cells:
                if cell.server == name:
                    sitting.fail(cell, "prepare", str(exc), exc.detail)
    return prepared


def reference(sitting: Sitting, model: str, cells: Sequence[Cell]) -> Reference | None:
    """The source's answers, on which every hop is judged; where there are none all the model's cells fail."""
    sitting.display.step("reference", model)
    try:
        return artifacts.reference(model, timeout_s=sitting.experiment.export_timeout_s)
    except (ExportError, ModelError) as exc:
        for cell in cells:
            sitting.fail(cell, "export", f"the source model gives no reference: {exc}", getattr(exc, "detail", ""))
        return None


def candidate(sitting: Sitting, cell: Cell, prepared: Prepared, reference: Reference) -> Candidate | None:
    """Export the cell's artifact and verify it in process; None where it failed, which is then in the journal."""
    server = catalog.load(cell.server)
    try:
        artifact = _export(sitting, cell)
        sitting.display.step("verify", cell.id)
        hops = artifacts.verify(artifact, server.runtime)
    except ExportError as exc:
        sitting.fail(cell, exc.stage, f"{exc.reason}: {exc.message}", exc.detail)
        return None
    known = history.checked(sitting.journal.events)
    for hop in map(record, hops):
        if (cell.id, hop.hop) not in known:
            sitting.journal.add(ParityChecked(cell=cell.id, parity=hop))
        if not hop.passed:
            sitting.fail(cell, "verify", f"wrong_values: hop {hop.hop}: {describe(hop)}")
            return None
    return Candidate(cell, artifact, server, prepared, reference)


def _export(sitting: Sitting, cell: Cell) -> Artifact:
    sitting.display.step("export", cell.id)
    artifact = artifacts.export(
        cell.model, cell.framework, cell.format, cell.variant, timeout_s=sitting.experiment.export_timeout_s
    )
    if not any(isinstance(event, Exported) and event.cell == cell.id for event in sitting.journal.events):
        export = results.Export(seconds=artifact.manifest.export_s, bytes=artifact.bytes, cached=artifact.cached)
        sitting.journal.add(Exported(cell=cell.id, export=export))
    return artifact
