"""What an observation means: one outcome, its cause, and where. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.check import CaseChecked
from pipelines.matrix import causes
from pipelines.matrix.causes import FIXED, Cause
from pipelines.matrix.observation import Failure, Observation

OUTCOMES = {
    "ok": "ok",
    "wrong_values": "wrong values",
    "lost_dynamic_axis": "lost dynamic axis",
    "converter_error": "converter error",
    "converter_crash": "converter crash",
    "unsupported_operator": "unsupported operator",
    "does_not_load": "does not load or run",
    "too_slow": "too slow to finish",
    "not_observed": "not observed",
    "skipped": "skipped",
}
"""Every outcome there is, and how it is called. `not_observed` is a fault of the machine or of the source, `skipped` a
cell that cannot be here: neither says anything about the way out."""

QUALITY_KEPT = 0.9
"""An int8 artifact of a model pair is judged by its headline metric: at least so much of the source's."""


NOTHING_QUANTIZED = "nothing of it in 8 bits: it holds no weights that the quantizer takes"
NOT_FINITE = "NaN or Inf"
"""As a parity's reason has it."""


@dataclass(frozen=True)
class Verdict:
    """What became of a cell."""

    outcome: str
    cause: str | None = None
    """In words that many cells share; None where all is well."""
    detail: str | None = None
    """In one line, of this cell."""
    operator: str | None = None
    where: str | None = None


def judge(seen: Observation, variant: str, *, is_pair: bool) -> Verdict:
    """The outcome of what was seen."""
    if seen.failure:
        return _of_failure(seen, seen.failure)
    if seen.source and not seen.source.passed:
        return Verdict("wrong_values", "the twin answers unlike the source", seen.source.reason)
    by_quality = is_pair and variant.startswith("int8")
    failing = [case for case in seen.cases if _fails(case, by_quality)]
    if seen.export and seen.export.fixed:
        return _of_fixed(seen, seen.export.fixed, failing)
    if failing:
        return _of_cases(seen, failing, variant)
    if seen.quality_error:
        return Verdict("wrong_values", "no answer on the held-out set", seen.quality_error)
    return _of_quality(seen, variant) if by_quality else _of_right(seen, variant)


def _of_failure(seen: Observation, failure: Failure) -> Verdict:
    if failure.stage in {"host", "source"}:
        return Verdict(
            "not_observed", f"no observation: fault of the {failure.stage}", failure.message, None, seen.whereabouts
        )
    if failure.reason in {"out_of_memory", "disk_full"}:
        return Verdict("not_observed", "the machine ran out of memory or disk", failure.message)
    if failure.reason == "timeout":
        return Verdict(
            "too_slow", f"{failure.stage} not done in {failure.timeout_s:g} s", failure.message, None, seen.whereabouts
        )
    cause = causes.explain(failure.message, seen.log)
    if failure.reason == "converter_crash":
        outcome, text = "converter_crash", cause.text
        if failure.stage == "check":
            outcome, text = "does_not_load", f"the runtime crashed: {failure.message}"
        return Verdict(outcome, text, failure.message, cause.operator, seen.whereabouts)
    failed = "converter_error" if failure.stage == "export" else "does_not_load"
    return Verdict(
        "unsupported_operator" if cause.unsupported else failed,
        cause.text, failure.message, cause.operator, seen.whereabouts,
    )  # fmt: skip


def _of_fixed(seen: Observation, fixed: Mapping[str, int], failing: Sequence[CaseChecked]) -> Verdict:
    """The artifact fixes sizes: it has lost these axes where it is right at the sizes it declares, and else failed."""
    declared = "the artifact declares " + ", ".join(f"{axis} = {size}" for axis, size in fixed.items())
    there = [case for case in seen.cases if all(case.sizes.get(axis) == size for axis, size in fixed.items())]
    if not there:
        return Verdict("lost_dynamic_axis", FIXED, f"{declared}, and was not run at that")
    if any(case not in failing for case in there):
        return Verdict("lost_dynamic_axis", FIXED, declared)
    failed = _of_answers(seen, there, there)
    return dataclasses.replace(failed, detail=f"{declared}, and fails there: {failed.detail}")


def _of_cases(seen: Observation, failing: Sequence[CaseChecked], variant: str) -> Verdict:
    """It loads, and some or all answers are not the source's, or are none."""
    detail, cause = _said(seen, failing[0])
    if all(case.error for case in seen.cases) and cause.text == FIXED:
        return Verdict("lost_dynamic_axis", FIXED, detail)
    right = [case for case in seen.cases if case not in failing]
    # A lower precision is wrong by its inputs' values: there only what has another shape, or no answer, tells of sizes.
    speaking = failing if variant == "fp32" else [case for case in failing if not _only_values_differ(case)]
    if lost := lost_axes(right, speaking):
        sizes = "; ".join(f"{axis} {_sizes(right, axis)} answered, {_sizes(speaking, axis)} not" for axis in lost)
        how = _lost_how(right, speaking, lost[0])
        return Verdict("lost_dynamic_axis", how, f"{sizes}: {_said(seen, speaking[0])[0]}")
    return _of_answers(seen, seen.cases, failing)


def _of_answers(seen: Observation, asked: Sequence[CaseChecked], failing: Sequence[CaseChecked]) -> Verdict:
    """What the failing ones of those asked have, whatever their sizes."""
    detail, cause = _said(seen, failing[0])
    errors = [case for case in failing if case.error]
    if len(errors) == len(asked):
        outcome = "unsupported_operator" if cause.unsupported else "does_not_load"
        return Verdict(outcome, cause.text, detail, cause.operator)
    if errors:
        return Verdict("wrong_values", "no answer to some inputs", errors[0].error, cause.operator)
    return Verdict("wrong_values", _wrong_how(detail, some_right=len(failing) < len(asked)), detail)


def _said(seen: Observation, case: CaseChecked) -> tuple[str, Cause]:
    """Why a case fails, in one line, and what that means."""
    detail = case.error or (case.parity.reason if case.parity else None) or ""
    return detail, causes.explain(detail, seen.log if case.error else "")


def lost_axes(right: Sequence[CaseChecked], failing: Sequence[CaseChecked]) -> list[str]:
    """The axes whose size alone parts what is answered rightly from what is not.

    Where values are wrong it may be the input that parts them, and not its size: that is a lost axis only where one
    size is right and at least two are wrong.
    """
    if not right or not failing:
        return []
    only_values = all(_only_values_differ(case) for case in failing)
    lost = []
    for axis in right[0].sizes:
        good, bad = {case.sizes[axis] for case in right}, {case.sizes[axis] for case in failing}
        if not good & bad and (not only_values or (len(good) == 1 and len(bad) > 1)):
            lost.append(axis)
    return lost


def _of_right(seen: Observation, variant: str) -> Verdict:
    """All answers are right; of an int8 artifact that may be because nothing of it is in 8 bits."""
    untouched = variant.startswith("int8") and seen.export is not None and seen.export.quantized == 0
    return Verdict("ok", detail=NOTHING_QUANTIZED) if untouched else Verdict("ok")


def _of_quality(seen: Observation, variant: str) -> Verdict:
    if not seen.quality:
        return Verdict("wrong_values", "no quality was measured")
    headline = seen.quality[0]
    if headline.value >= QUALITY_KEPT * headline.reference:  # NaN is not
        return _of_right(seen, variant)
    detail = f"{headline.metric} {headline.value:.3g}, the source's is {headline.reference:.3g}"
    return Verdict("wrong_values", "quality lost", detail)


def _fails(case: CaseChecked, by_quality: bool) -> bool:
    if case.error or case.parity is None:
        return True
    return not case.parity.passed and not (by_quality and _measured(case))


def _measured(case: CaseChecked) -> bool:
    """Names, shapes and dtypes are right, and all is finite: there is an error that can be measured."""
    return case.parity is not None and case.parity.max_rel_error is not None


def _only_values_differ(case: CaseChecked) -> bool:
    """Names, shapes and dtypes are right."""
    return _measured(case) or (case.parity is not None and NOT_FINITE in (case.parity.reason or ""))


def _sizes(cases: Sequence[CaseChecked], axis: str) -> str:
    return ", ".join(map(str, sorted({case.sizes[axis] for case in cases})))


def _lost_how(right: Sequence[CaseChecked], failing: Sequence[CaseChecked], axis: str) -> str:
    silent = "" if any(case.error for case in failing) else ", silently"
    bad = {case.sizes[axis] for case in failing}
    if len({case.sizes[axis] for case in right}) == 1:
        return f"{FIXED}{silent}"
    return f"size 1 lost{silent}" if bad == {1} else f"some sizes lost{silent}"


def _wrong_how(reason: str, *, some_right: bool) -> str:
    kinds: tuple[tuple[str, str], ...] = (
        (NOT_FINITE, NOT_FINITE),
        ("has shape", "another shape"),
        ("is missing", "an output is missing"),
        ("other strings", "other strings"),
        ("relative error", "deviates"),
    )
    kind = next((word for text, word in kinds if text in reason), "another dtype")
    return f"{kind} on some inputs" if some_right else kind
