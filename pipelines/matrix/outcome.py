"""What an observation means: one outcome, its cause, and where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.check import CaseChecked
from pipelines.matrix import causes
from pipelines.matrix.causes import FIXED
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
        sizes = ", ".join(f"{axis} = {size}" for axis, size in seen.export.fixed.items())
        return Verdict("lost_dynamic_axis", FIXED, f"the artifact declares {sizes}")
    if failing:
        return _of_cases(seen, failing)
    if seen.quality_error:
        return Verdict("wrong_values", "no answer on the held-out set", seen.quality_error)
    return _of_quality(seen) if by_quality else Verdict("ok")


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


def _of_cases(seen: Observation, failing: Sequence[CaseChecked]) -> Verdict:
    """It loads, and some or all answers are not the source's, or are none."""
    first = failing[0]
    detail = first.error or (first.parity.reason if first.parity else None)
    cause = causes.explain(detail or "", seen.log if first.error else "")
    errors = [case for case in failing if case.error]
    if len(errors) == len(seen.cases):
        if cause.text == FIXED:
            return Verdict("lost_dynamic_axis", FIXED, detail)
        outcome = "unsupported_operator" if cause.unsupported else "does_not_load"
        return Verdict(outcome, cause.text, detail, cause.operator)
    right = [case for case in seen.cases if case not in failing]
    if lost := lost_axes(right, failing):
        sizes = "; ".join(f"{axis} {_sizes(right, axis)} answered, {_sizes(failing, axis)} not" for axis in lost)
        return Verdict("lost_dynamic_axis", _lost_how(right, failing, lost[0]), f"{sizes}: {detail}")
    if errors:
        return Verdict("wrong_values", "no answer to some inputs", errors[0].error, cause.operator)
    return Verdict("wrong_values", _wrong_how(detail or "", right), detail)


def lost_axes(right: Sequence[CaseChecked], failing: Sequence[CaseChecked]) -> list[str]:
    """The axes whose size alone parts what is answered rightly from what is not.

    Where values are wrong it may be the input that parts them, and not its size: that is a lost axis only where one
    size is right and at least two are wrong.
    """
    if not right:
        return []
    only_values = all(_only_values_differ(case) for case in failing)
    lost = []
    for axis in right[0].sizes:
        good, bad = {case.sizes[axis] for case in right}, {case.sizes[axis] for case in failing}
        if not good & bad and (not only_values or (len(good) == 1 and len(bad) > 1)):
            lost.append(axis)
    return lost


def _of_quality(seen: Observation) -> Verdict:
    if not seen.quality:
        return Verdict("wrong_values", "no quality was measured")
    headline = seen.quality[0]
    if headline.value >= QUALITY_KEPT * headline.reference:  # NaN is not
        return Verdict("ok")
    detail = f"{headline.metric} {headline.value:.3g}, the source's is {headline.reference:.3g}"
    return Verdict("wrong_values", "quality lost", detail)


def _fails(case: CaseChecked, by_quality: bool) -> bool:
    if case.error or case.parity is None:
        return True
    return not case.parity.passed and not (by_quality and _only_values_differ(case))


def _only_values_differ(case: CaseChecked) -> bool:
    """Names, shapes and dtypes are right, and all is finite: there is an error that can be measured."""
    return case.parity is not None and case.parity.max_rel_error is not None


def _sizes(cases: Sequence[CaseChecked], axis: str) -> str:
    return ", ".join(map(str, sorted({case.sizes[axis] for case in cases})))


def _lost_how(right: Sequence[CaseChecked], failing: Sequence[CaseChecked], axis: str) -> str:
    silent = "" if any(case.error for case in failing) else ", silently"
    bad = {case.sizes[axis] for case in failing}
    if len({case.sizes[axis] for case in right}) == 1:
        return f"{FIXED}{silent}"
    return f"size 1 lost{silent}" if bad == {1} else f"some sizes lost{silent}"


def _wrong_how(reason: str, right: Sequence[CaseChecked]) -> str:
    kinds: tuple[tuple[str, str], ...] = (
        ("NaN or Inf", "NaN or Inf"),
        ("has shape", "another shape"),
        ("is missing", "an output is missing"),
        ("other strings", "other strings"),
        ("relative error", "deviates"),
    )
    kind = next((word for text, word in kinds if text in reason), "another dtype")
    return f"{kind} on some inputs" if right else kind
