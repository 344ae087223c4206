"""How far two answers to the same inputs are apart, and whether that is close enough to be the same model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

TOLERANCE = 1e-4
"""Largest `max_rel_error` that passes. fp32 exports of one model differ by the order of their additions, about 1e-6 of
the largest output; a wrong eps, padding or layout costs 1e-4 to 1e-2. So 1e-4 parts arithmetic from mistakes."""

TOLERANCES = {"fp32": TOLERANCE, "fp16": 1e-2, "int8_dynamic": 0.35, "int8_static": 0.35}
"""By variant. fp16 has 11 bits, and sums of them cost some more; int8 is judged by the pair's quality metric first, and
here only kept from being another model: unrelated outputs of the same scale are 1 to 2 apart."""


def tolerance(variant: str) -> float:
    """Largest `max_rel_error` of a variant; one that this table has not (a plugin's own) is held to fp32's."""
    return TOLERANCES.get(variant, TOLERANCE)


@dataclass(frozen=True)
class Parity:
    """One comparison. Errors are None where there is nothing to subtract (a missing tensor, another shape or dtype)."""

    hop: str
    """Which hand-over was compared: `source`, `artifact`, `served` or `under_load`."""
    max_abs_error: float | None
    """max |output - reference| over all tensors, in the outputs' own unit."""
    max_rel_error: float | None
    """max over tensors of max |output - reference| / max |reference|; unitless."""
    passed: bool
    reason: str | None = None
    """Why it did not pass, in one line; None where it did."""


def compare(
    outputs: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    tolerance: float = TOLERANCE,
    hop: str = "artifact",
) -> Parity:
    """Compare one response with the reference response, tensor by tensor, by name.

    The error is judged relative to the largest reference value, not element by element: near-zero elements would
    otherwise decide, and models whose outputs are all tiny would always pass. NaN or Inf on either side fails.
    """
    worst_abs = worst_rel = 0.0
    for name, expected in reference.items():
        if name not in outputs:
            return Parity(hop, None, None, False, f"output '{name}' is missing; found: {', '.join(sorted(outputs))}")
        found = np.asarray(outputs[name])
        fault = _mismatch(name, found, expected)
        if fault:
            return Parity(hop, None, None, False, fault)
        if expected.size == 0:
            continue
        if expected.dtype == object:
            if not np.array_equal(found, expected):
                return Parity(hop, None, None, False, f"output '{name}' has other strings")
            continue
        exact = np.complex128 if np.iscomplexobj(expected) else np.float64
        difference = float(np.max(np.abs(found.astype(exact) - expected.astype(exact))))
        largest = float(np.max(np.abs(expected.astype(exact))))
        worst_abs = max(worst_abs, difference)
        worst_rel = max(worst_rel, difference / largest if largest else (0.0 if difference == 0 else float("inf")))
    if worst_rel > tolerance:
        return Parity(hop, worst_abs, worst_rel, False, f"relative error {worst_rel:.3g} is above {tolerance:g}")
    return Parity(hop, worst_abs, worst_rel, True)


def worst(parities: Sequence[Parity]) -> Parity:
    """The verdict over many comparisons of one hop: the first that failed, with the largest errors seen in any.

    Raises ValueError where there is nothing to judge, because no comparison is no proof.
    """
    if not parities:
        raise ValueError("no comparison to judge")
    failed = next((parity for parity in parities if not parity.passed), parities[0])
    if failed.max_rel_error is None:
        return failed
    absolutes = [p.max_abs_error for p in parities if p.max_abs_error is not None]
    relatives = [p.max_rel_error for p in parities if p.max_rel_error is not None]
    return replace(failed, max_abs_error=max(absolutes), max_rel_error=max(relatives))


def _mismatch(name: str, found: np.ndarray, expected: np.ndarray) -> str | None:
    if found.shape != expected.shape:
        return f"output '{name}' has shape {found.shape}, expected {expected.shape}"
    if found.dtype != expected.dtype:
        return f"output '{name}' is {found.dtype}, expected {expected.dtype}"
    for side, array in (("output", found), ("reference", expected)):
        if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
            return f"{side} '{name}' has {int(np.count_nonzero(~np.isfinite(array)))} NaN or Inf values"
    return None
