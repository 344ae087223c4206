"""A server that stalls: our p99 beside that of MLPerf LoadGen, which is the reference for timing from the schedule."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from benchmarks.errors import LoadFailed
from benchmarks.pinned import ROOT, Command, running
from benchmarks.truth_parts.row import Row
from benchmarks.truth_parts.stand import RATE_RPS, SEED, WARM_UP_S, Stand, percentiles_ms
from loadtests.block import Open

SERVER = [str(ROOT / "tests" / "loadtests" / "oip_server.py"), "stall"]
TIMES = 2
BAR = 0.10


def rows(stand: Stand, seconds: float) -> Iterator[Row]:
    """Windows of `seconds` in the order ABBA; each p99 is the mean of those of the windows."""
    arms = {"ours": _ours, "LoadGen": _loadgen}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    with stand.serving(SERVER) as url:
        stand.drive(url, Open(RATE_RPS), WARM_UP_S)
        for turn in range(TIMES):
            for name in sorted(arms, reverse=turn % 2 == 0):
                stand.say(f"stalls: {name}, {turn + 1} of {TIMES}")
                found[name].append(arms[name](stand, url, seconds, SEED + turn))
    ours, theirs = ({key: fmean(each[key] for each in windows) for key in ("p50_ms", "p90_ms", "p99_ms")}
                    for windows in found.values())  # fmt: skip
    ratio = ours["p99_ms"] / theirs["p99_ms"]
    yield Row(
        f"stalls of 100 ms every 2 s, {RATE_RPS:g}/s Poisson: p99",
        f"within {BAR:.0%} of MLPerf LoadGen's",
        f"{ours['p99_ms']:.1f} ms, LoadGen {theirs['p99_ms']:.1f} ms: {ratio - 1:+.1%}",
        abs(ratio - 1) <= BAR,
        {"ratio": ratio, "windows": found, "seconds": seconds},
    )


def _ours(stand: Stand, url: str, seconds: float, seed: int) -> dict[str, Any]:
    seen = stand.drive(url, Open(RATE_RPS, "poisson"), seconds, seed)
    p50, p90, p99 = percentiles_ms((seen.end - seen.intended) * 1e3)
    return {"p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "requests": len(seen.ok)}


def _loadgen(stand: Stand, url: str, seconds: float, seed: int) -> dict[str, Any]:
    folder, log = stand.folder / "loadgen", stand.folder / "loadgen.log"
    folder.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "benchmarks.truth_parts.loadgen", url, f"{RATE_RPS:g}", f"{seconds:g}"]
    # LoadGen looks for its audit.config where it is started.
    command = Command([*argv, str(seed), str(folder)], folder=folder)
    with running(command, stand.client_core, log) as process:
        deadline = time.perf_counter() + seconds + 60
        while not process.ended():
            if time.perf_counter() > deadline:
                raise LoadFailed(f"LoadGen did not end: {process.said()}")
            time.sleep(0.2)
        try:
            found: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
        except (IndexError, ValueError) as exc:
            raise LoadFailed(f"LoadGen: {process.said()}") from exc
    if not found["valid"]:
        raise LoadFailed(f"LoadGen calls its own result invalid: {found}")
    return found
