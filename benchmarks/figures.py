"""Figures as text, the same on the terminal and on the page."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.cases import Case

HEADINGS = ("server", "requests/s", "p50", "p99", "ours ÷ its requests/s (low–high)", "")


def cells(row: dict[str, Any]) -> list[str]:
    """A row's texts, by `HEADINGS`."""
    if row["rps"] is None:
        return [row["name"], "–", "–", "–", "–", row["reason"]]
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f} ({row['ratio_low']:.2f}–{row['ratio_high']:.2f})"
    notes = [f"INVALID: {row['reason']}"] if not row["valid"] else []
    notes += ["load generator at its limit"] if row["client_bound"] else []
    return [
        row["name"],
        f"{row['rps']:,.0f}",
        milliseconds(row["p50_ms"]),
        milliseconds(row["p99_ms"]),
        ratio,
        "; ".join(notes),
    ]


def milliseconds(value: float | None) -> str:
    """Three digits; a dash where there is none."""
    return "–" if value is None else f"{value:.3g} ms" if value < 100 else f"{value:.0f} ms"


def sentence(case: Case, verdict: dict[str, Any]) -> str:
    """The verdict on a case's bar."""
    bar = (
        f"bar ({case.letter}): ≥ {case.bar:g}× {'the runtime in process' if case.against_runtime else 'the best peer'}"
    )
    found = "nothing measured" if verdict["ratio"] is None else f"{verdict['ratio']:.2f}× {verdict['against']}"
    note = f", {verdict['note']}" if verdict["note"] else ""
    return f"{bar}: {WORDS[verdict['holds']]} ({found}{note})"


WORDS = {True: "holds", False: "fails", None: "not decided"}

BATCHING_HEADINGS = (
    "model", "requests/s without", "with", "ratio (low–high)", "bar ≥ 1.0",
    "p99 at 1 client without", "with", "ratio (low–high)", "bar: not worse",
)  # fmt: skip


def latency_cells(row: dict[str, Any]) -> list[str]:
    """A row of added latency."""
    bar = "" if row["bar_ms"] is None else f"≤ {row['bar_ms']:g} ms: {WORDS[row['holds']]}"
    if row["reason"]:
        return [row["model"], row["way"], "–", "–", row["reason"], bar]
    return [
        row["model"],
        row["way"],
        milliseconds(row["in_process_ms"]),
        milliseconds(row["served_ms"]),
        f"{row['added_ms']:.3f} ms ({row['added_low_ms']:.3f}–{row['added_high_ms']:.3f})",
        bar,
    ]


def batching_cells(row: dict[str, Any]) -> list[str]:
    """A row of batching."""
    if row["reason"]:
        return [row["model"], row["reason"], *[""] * (len(BATCHING_HEADINGS) - 2)]
    return [
        row["model"],
        f"{row['rps_without']:,.0f}",
        f"{row['rps_with']:,.0f}",
        _spread(row["throughput_ratios"]),
        WORDS[row["throughput_holds"]],
        milliseconds(row["p99_without_ms"]),
        milliseconds(row["p99_with_ms"]),
        _spread(row["p99_ratios"]),
        WORDS[row["p99_holds"]],
    ]


def _spread(ratios: list[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else "–"
