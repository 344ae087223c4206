"""From pairs of windows to rows and verdicts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.cases import IN_PROCESS, Case
from benchmarks.rounds import Pair
from benchmarks.wrk import Window

CLIENT_LIMIT = 0.95


@dataclass(frozen=True)
class Row:
    """One server in one case: medians over its windows. `reason` says why it has none, or why it is not valid."""

    case: str
    name: str
    rps: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    ratio: float | None = None
    """Our requests/s over this server's, the median of the rounds' ratios."""
    ratio_low: float | None = None
    ratio_high: float | None = None
    errors: int = 0
    client_bound: bool = False
    """The load generator was at its limit: the true figure is higher."""
    valid: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a case's bar holds."""

    case: str
    bar: float
    against: str | None
    """The best peer, or the runtime in process."""
    ratio: float | None
    holds: bool | None
    """None where it cannot be said."""
    note: str = ""


def peer_row(case: Case, name: str, pairs: Iterable[Pair]) -> Row:
    """The row of a peer, or of the runtime in process."""
    mine = [pair for pair in pairs if pair.case == case.name and pair.peer == name]
    theirs = [pair.theirs for pair in mine if pair.theirs]
    reason = next((pair.reason for pair in mine if pair.reason), None)
    if not theirs:
        return Row(case.name, name, reason=reason or "not measured")
    ratios = [pair.ours.rps / pair.theirs.rps for pair in mine if pair.ours and pair.theirs and pair.theirs.rps > 0]
    errors = sum(window.errors for window in theirs)
    if errors:
        reason = f"{errors} responses were errors"
    elif not ratios:
        reason = "no response under load"
    return Row(
        case.name,
        name,
        **_medians(theirs),
        ratio=median(ratios) if ratios else None,
        ratio_low=min(ratios, default=None),
        ratio_high=max(ratios, default=None),
        errors=errors,
        client_bound=_bound(theirs),
        valid=reason is None,
        reason=reason,
    )


def our_row(case: Case, name: str, pairs: Iterable[Pair], *, alone: bool = False) -> Row:
    """Ours beside the peers; or, `alone`, at one connection."""
    found = [pair.ours for pair in pairs if pair.case == case.name and pair.ours and (pair.peer is None) == alone]
    if not found:
        return Row(case.name, name, reason="not measured")
    errors = sum(window.errors for window in found)
    reason = f"{errors} responses were errors" if errors else None
    return Row(
        case.name,
        name,
        **_medians(found),
        errors=errors,
        client_bound=_bound(found),
        valid=not errors,
        reason=reason,
    )


def verdict(case: Case, ours: Row, peers: list[Row]) -> Verdict:
    """Against the peer with the lowest ratio; said to hold only where every peer was measured."""
    rivals = [row for row in peers if (row.name == IN_PROCESS) == case.against_runtime]
    measured = [(row.ratio, row.name) for row in rivals if row.valid and row.ratio is not None]
    missing = sorted(row.name for row in rivals if not row.valid)
    note = f"without {', '.join(missing)}" if missing else ""
    if not ours.valid or not measured:
        return Verdict(case.name, case.bar, None, None, None, note or "not measured")
    ratio, name = min(measured)
    holds = False if ratio < case.bar else None if missing else True
    return Verdict(case.name, case.bar, name, ratio, holds, note)


def _medians(windows: list[Window]) -> dict[str, float | None]:
    p99 = [window.p99_ms for window in windows if window.p99_ms is not None]
    return {
        "rps": _median(windows, lambda window: window.rps),
        "p50_ms": _median(windows, lambda window: window.p50_ms),
        "p99_ms": median(p99) if len(p99) == len(windows) else None,
    }


def _median(windows: list[Window], of: Callable[[Window], float]) -> float:
    return median(map(of, windows))


def _bound(windows: list[Window]) -> bool:
    return any(window.client_cpu_fraction > CLIENT_LIMIT for window in windows)
