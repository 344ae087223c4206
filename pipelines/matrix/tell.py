"""Everything that was seen of one cell, line by line, for who reproduces it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.figures import number
from pipelines.matrix.document import Entry
from pipelines.matrix.observation import Export, Observation
from pipelines.matrix.outcome import OUTCOMES
from pipelines.parity import Parity


def lines(entry: Entry, seen: Observation | None) -> Iterator[str]:
    """The log first, the outcome last, where a terminal shows it."""
    if seen and seen.log:
        yield from ("--- log", seen.log, "---")
    if entry.export:
        yield from _export(entry.export)
    if entry.source:
        yield f"twin against the torch source: {parity(entry.source)}"
    if seen and seen.load_s is not None:
        yield f"loaded with {entry.runtime} in {number(seen.load_s)} s"
    for case in seen.cases if seen else ():
        sizes = ", ".join(f"{axis} {size}" for axis, size in case.sizes.items()) or "fixed sizes"
        yield f"  {sizes}: {case.error or parity(case.parity)}"
    for one in entry.quality:
        yield f"{one.metric}: {number(one.value)}, the source's {number(one.reference)}"
    if seen and seen.quality_error:
        yield f"quality: {seen.quality_error}"
    facts = {"cause": entry.cause, "detail": entry.detail, "operator": entry.operator, "where": entry.where}
    for name, value in facts.items():
        if value:
            yield f"{name}: {value}"
    yield f"{entry.id}: {OUTCOMES[entry.outcome]}"


def _export(export: Export) -> Iterator[str]:
    yield (
        f"exported in {number(export.seconds)} s, {export.bytes / 1e6:.2f} MB, "
        f"peak memory {export.peak_memory_bytes / 1e6:.0f} MB, {number(export.operators)} operators"
    )
    yield determinism(export)
    for warning in export.deprecations:
        yield f"deprecated: {warning}"


def determinism(export: Export) -> str:
    """Whether a second export wrote the same."""
    if export.differing is None:
        return "not exported a second time: the first took too long"
    if not export.differing:
        return "a second export has the same hashes"
    return f"a second export differs in {', '.join(export.differing)}"


def parity(found: Parity | None) -> str:
    """`error 3.1e-07 of the largest output`, and why it did not pass."""
    if found is None:
        return "no answer"
    if found.max_rel_error is None:
        return str(found.reason)
    return f"error {found.max_rel_error:.2g} of the largest output" + ("" if found.passed else f": {found.reason}")
