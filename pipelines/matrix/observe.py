"""Looking at one cell: export it, export it again, load it where only its runtime is, and ask it everything."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models import cases, catalog, fingerprint
from models.pair import Matched, ModelPair, Quality
from pipelines import artifacts, check, worker, worker_process
from pipelines.artifacts import Artifact
from pipelines.check import CaseChecked
from pipelines.matrix.cells import Cell
from pipelines.matrix.observation import Export, Failure, Observation, Stage
from pipelines.matrix.workshop import Workshop
from pipelines.worker_process import ExportError
from serving.catalog import Server

AGAIN_WITHIN_S = 40.0
"""An export that took longer is not made a second time: of some thousand cells three do, and a whole map is to be made
within an hour."""
LOG_LINES, LOG_CHARACTERS = 120, 12_000

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


@dataclass(frozen=True)
class Look:
    """One look at one cell, in good time."""

    cell: Cell
    matched: Matched
    server: Server
    shop: Workshop
    timeout_s: float
    """Of each step: the source's answers, the export, the check."""


def observe(cell: Cell, server: Server, shop: Workshop, timeout_s: float) -> Observation:
    """Everything that can be seen of a cell; raises `Stopped`, and `ServingError` without the runtime's environment."""
    look = Look(cell, catalog.load(cell.model), server, shop, timeout_s)
    started = time.perf_counter()
    seen = Observation(cell.id, server.runtime, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), 0.0)
    seen = _exported(look, seen)
    return dataclasses.replace(seen, wall_s=round(time.perf_counter() - started, 2))


def forget(cell: Cell, cache: Path) -> None:
    """Throw the cell's artifact away, so that the next look exports it."""
    artifacts.discard(artifacts.key(cell.model, cell.framework, cell.format, cell.variant), cache)


def _exported(look: Look, seen: Observation) -> Observation:
    cell, shop = look.cell, look.shop
    stage: Stage = "source"
    try:
        reference = shop.reference(look.matched, look.timeout_s)
        stage = "export"
        made = artifacts.export(
            cell.model, cell.framework, cell.format, cell.variant,
            cache=shop.cache, timeout_s=look.timeout_s, launch=shop.exporting(cell.framework, cell.format),
        )  # fmt: skip
    except ExportError as exc:
        return _failed(look, seen, stage, exc)
    kept = made.facts
    fixed = _fixed(look.matched, made)
    export = Export(
        seconds=kept.export_s,
        peak_memory_bytes=kept.peak_memory_bytes,
        bytes=made.bytes,
        operators=kept.operators,
        quantized=kept.quantized,
        deprecations=kept.deprecations,
        differing=_again(look, made),
        fixed=fixed,
    )
    hop = artifacts.has_source_hop(cell.model, cell.framework)
    source = worker.read_parity(made.folder.parent / worker.SOURCE_PARITY) if hop else None
    return _checked(look, dataclasses.replace(seen, export=export, source=source), made, reference)


def _again(look: Look, made: Artifact) -> tuple[str, ...] | None:
    """What a second export writes differently; None where the first took too long for a second one."""
    if made.facts.export_s > AGAIN_WITHIN_S:
        return None
    launch = look.shop.exporting_again(look.cell.framework, look.cell.format)
    try:
        return artifacts.differing(made, look.shop.cache, look.timeout_s, launch)
    except ExportError as exc:
        return (f"the second export failed: {exc.message}",)


def _checked(look: Look, seen: Observation, made: Artifact, reference: Path) -> Observation:
    """Run the artifact, and say how good its answers are."""
    with artifacts.workspace("verify", look.shop.cache) as scratch:
        arguments = [str(made.folder), look.server.runtime, "1", str(reference), str(scratch)]
        log = scratch / artifacts.LOG
        try:
            worker_process.run("verify", arguments, log, look.timeout_s, look.shop.checking(look.server))
        except ExportError as exc:
            return _failed(look, seen, "check", exc)
        checked = check.read(scratch / check.CHECKED)
        quality, error = _quality(look.matched, scratch / check.EVALUATION, reference, checked.evaluation_error)
        failing = any(case.error for case in checked.cases) or checked.evaluation_error is not None
        return dataclasses.replace(
            seen,
            load_s=checked.load_s,
            cases=tuple(_by_axis(look.matched, case) for case in checked.cases),
            quality=quality,
            quality_error=error,
            log=_end(log.read_text(errors="replace")) if failing else "",
        )


def _quality(
    matched: Matched, outputs: Path, reference: Path, evaluation_error: str | None
) -> tuple[tuple[Quality, ...], str | None]:
    """The pair's metrics of the held-out set, or why there are none."""
    if not isinstance(matched, ModelPair) or evaluation_error or not outputs.exists():
        return (), evaluation_error
    found, expected = cases.load(outputs), cases.load(reference / "evaluation.npz")
    try:
        return matched.quality([case.outputs for case in found], [case.outputs for case in expected]), None
    except (ValueError, KeyError, IndexError) as exc:  # outputs of another shape, or without one that it looks at
        return (), f"{type(exc).__name__}: {exc}"


def _axes(matched: Matched) -> dict[str, str]:
    """The dynamic axis by its place, as `input_ids:1`."""
    return {
        f"{spec.name}:{index}": axis
        for spec in matched.inputs
        for index, axis in enumerate(spec.shape)
        if isinstance(axis, str)
    }


def _by_axis(matched: Matched, case: CaseChecked) -> CaseChecked:
    sizes = {axis: case.sizes[place] for place, axis in _axes(matched).items() if place in case.sizes}
    return dataclasses.replace(case, sizes=sizes)


def _fixed(matched: Matched, made: Artifact) -> dict[str, int]:
    """By axis the size that the artifact has instead."""
    sizes: Mapping[str, int | str] = {
        f"{tensor.name}:{index}": size for tensor in made.manifest.inputs for index, size in enumerate(tensor.shape)
    }
    found = {axis: sizes.get(place) for place, axis in _axes(matched).items()}
    return {axis: size for axis, size in found.items() if isinstance(size, int)}


def _failed(look: Look, seen: Observation, stage: Stage, exc: ExportError) -> Observation:
    return dataclasses.replace(
        seen,
        failure=Failure(stage, exc.reason, exc.message, look.timeout_s),
        log=_end(exc.log or exc.detail),
        whereabouts=whereabouts(exc.log, fingerprint.model_files(look.cell.model)),
    )


def whereabouts(log: str, files: list[Path]) -> str | None:
    """The line of the model's own source that was reached last, as `data_dependent_loop.py:31`."""
    own = {str(path): path.name for path in files}
    frames = [f"{own[file]}:{line}" for file, line in _FRAME.findall(log) if file in own]
    if not frames:
        return None
    # Where native code crashed, the dump begins with the innermost frame; a traceback ends with it.
    return frames[0] if "most recent call first" in log else frames[-1]


def _end(log: str) -> str:
    return "\n".join(log.splitlines()[-LOG_LINES:])[-LOG_CHARACTERS:]
