"""What was asked for, in words: rounds, blocks, seed, workloads, budget; and where it ran. Pure.

Read from the results' own record of the experiment, which an older version of this project may have written: what it
does not say is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.figures import duration, number
from pipelines.results import Results
from pipelines.scorecard.lines import FRAMEWORKS

Facts = tuple[tuple[str, str], ...]


def settings(results: Results) -> Facts:
    """(name, words) of the experiment's settings."""
    experiment = results.experiment
    load = experiment.get("load") or {}
    rows = [(workload["name"], _workload(workload, load)) for workload in load.get("workloads") or ()]
    rows += [("capacity", _capacity(search)) for search in load.get("capacity") or ()]
    rows.append(("rounds", _rounds(load, results)))
    for name, key, text in (
        ("blocks", "block_s", "{} s each"),
        ("warm-up", "warmup_s", "at most {} s a cell, unmeasured"),
        ("repeats", "max_repeats", "spoiled rounds are measured again, at most {} of a workload"),
        ("seed", "seed", "{}"),
    ):
        if load.get(key) is not None:
            rows.append((name, text.format(_plain(load[key]))))
    rows.append(("generator", _workers(load)))
    # Servers that ran before have no framework we know of, and no budget of ours.
    deployed = any(cell.framework in FRAMEWORKS for cell in results.cells)
    if deployed and (budget := experiment.get("budget")):
        cores = _many(budget["cpus"], "core")
        processes = _many(budget["pids"], "process", "es")
        rows.append(("budget of a server", f"{cores}, {budget['memory_mb']:,} MB, {processes}"))
    if "tolerance" in experiment:
        rows.append(("tolerance", f"{experiment['tolerance']:g} of the largest reference output"))
    if deployed and "cold_starts" in experiment:
        rows.append(("cold starts", f"{experiment['cold_starts']} a cell"))
        rows.append(("servers measured by turns", f"{experiment.get('copies', 1)} a cell"))
    return tuple(rows)


def environment(results: Results) -> Facts:
    """(name, words) of the machine and the versions."""
    return tuple((_name(key), _said(key, value)) for key, value in results.environment.items())


def _name(key: str) -> str:
    return key.removesuffix("_bytes").replace("_", " ")


def _said(key: str, value: object) -> str:
    """What the environment holds under that key, as people write it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case dict():
            return " · ".join(f"{_name(name)} {_said(name, item)}" for name, item in value.items() if item is not None)
        case list() | tuple():
            return ", ".join(map(str, value)) or "–"
        case int() if key.endswith("_bytes"):
            return f"{number(value / 1e9)} GB" if value >= 1e9 else f"{number(value / 1e6)} MB"
        case _:
            return str(value)


def arrivals(asked: Mapping[str, Any]) -> str:
    """`open: 200 requests/s, evenly spaced`"""
    match asked.get("kind"):
        case "closed":
            think = asked.get("think_s") or 0
            pause = f"each {_plain(think)} s after its last answer" if think else "each at once after its last answer"
            return f"closed: {_many(asked['users'], 'client')}, {pause}"
        case "open":
            gaps = "Poisson" if asked.get("distribution") == "poisson" else "evenly spaced"
            return f"open: {_plain(asked['rate_rps'])} requests/s, {gaps}"
        case "ramp":
            return f"ramp: {_plain(asked['from_rps'])} to {_plain(asked['to_rps'])} requests/s over each block"
        case "burst":
            burst = f"{_plain(asked['burst_rps'])} for the first {_plain(asked['burst_s'])} s"
            return f"burst: {_plain(asked['rate_rps'])} requests/s, {burst} of every {_plain(asked['every_s'])} s"
        case "replay":
            return f"replay: the recorded instants of {asked['file']}"
        case kind:
            return str(kind)


def _workload(workload: Mapping[str, Any], load: Mapping[str, Any]) -> str:
    parts = [arrivals(workload["arrivals"])]
    if workload.get("payload_batch", 1) > 1:
        parts.append(f"{workload['payload_batch']} inputs in each request")
    if workload.get("block_s") not in (None, load.get("block_s")):
        parts.append(f"blocks of {_plain(workload['block_s'])} s")
    return " · ".join([*parts, *_only(workload)])


def _capacity(search: Mapping[str, Any]) -> str:
    bounds = [f"{name} ≤ {_plain(search['slo'][f'{name}_ms'])} ms" for name in _bounded(search["slo"])]
    errors = f"errors ≤ {_plain(100 * search['slo'].get('max_error_rate', 0.001))} %"
    asked = f"highest rate with {', '.join([*bounds, errors])}"
    trial = (
        f"{search.get('distribution', 'poisson')} arrivals, trials of at least {_plain(search.get('trial_s', 2.0))} s"
    )
    return " · ".join([asked, trial, f"{search.get('replicates', 4)} at the boundary", *_only(search)])


def _bounded(slo: Mapping[str, Any]) -> list[str]:
    return [name for name in ("p50", "p90", "p99") if slo.get(f"{name}_ms") is not None]


def _only(asked: Mapping[str, Any]) -> list[str]:
    return [f"only {', '.join(asked['models'])}"] if asked.get("models") else []


def _rounds(load: Mapping[str, Any], results: Results) -> str:
    counts = {len(measured.blocks) for cell in results.cells for measured in cell.loads}
    seen = f"{min(counts)}–{max(counts)} blocks" if len(counts) > 1 else _many(max(counts, default=0), "block")
    took = f"{seen} of each cell and workload, {duration(results.timing.measuring_s)} of blocks in all"
    if load.get("rounds") is not None:
        return f"{load['rounds']}, as set: {took}"
    if load.get("budget_s") is not None:
        return f"as a pilot asks for within {_plain(load['budget_s'])} s of blocks a workload and model: {took}"
    return took


def _workers(load: Mapping[str, Any]) -> str:
    here, remote = load.get("workers", 1), load.get("remote_workers", 0)
    text = f"{_many(here, 'process', 'es')} on this machine"
    return f"{text}, {remote} on others" if remote else text


def _many(count: int, what: str, ending: str = "s") -> str:
    return f"{count} {what}{ending * (count != 1)}"


def _plain(value: float) -> str:
    """As it was written: settings are no measurements."""
    return f"{value:,.10g}"
