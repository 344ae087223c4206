"""`python -m benchmarks.server_overhead`: our server against its peers, on one pinned core (about 20 minutes).

Prints a table; writes `benchmarks/results/server_overhead.json` and `docs/server_overhead.md`. Exit status: 0 where
every bar holds, 1 where one does not or cannot be said to, 2 where nothing can be measured here, 130 interrupted.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import installs, page, results, table, wrk
from benchmarks.cases import CASES, IN_PROCESS, Case
from benchmarks.environment import (
    CACHE,
    ClientCore,
    Rounds,
    Seconds,
    ServerCore,
    Source,
    benchmarking,
    describe,
)
from benchmarks.errors import BenchmarkError
from benchmarks.peers import contract
from benchmarks.pinned import ROOT
from benchmarks.reference import NAME, Reference
from benchmarks.rounds import Bench, Contender, Pair, measure
from benchmarks.summary import our_row, peer_row, verdict

FAILED = 1


def main(
    peers: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(contract.names()),
    cases: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(CASES),
    rounds: Rounds = 3,
    seconds: Seconds = 4,
    server_core: ServerCore = 0,
    client_core: ClientCore = 1,
    source: Source = ROOT,
) -> None:
    """Measure the reference server against its peers, all of them on one core."""
    console = Console()
    chosen = [CASES[name] for name in _known("case", cases, list(CASES))]
    names = _known("peer", peers, contract.names())
    with benchmarking(console, server_core, client_core), console.status("") as status:
        wrk.require()
        reference = Reference(source)
        python = installs.ensure(NAME, reference.requirements, CACHE, status.update)
        contenders, failed = _install(names, chosen, status.update)
        bench = Bench(Contender(NAME, reference, python), CACHE, seconds, server_core, client_core)
        pairs = [*failed, *measure(bench, contenders, chosen, rounds, status.update)]
        found = _summarize(chosen, pairs)
        found |= {
            "environment": describe(source),
            "peers": {peer.name: _about(peer) for peer in contenders},
            "settings": {"rounds": rounds, "seconds": seconds, "server_core": server_core, "client_core": client_core},
            "pairs": [dataclasses.asdict(pair) for pair in pairs],
        }
    results.write("server_overhead", found)
    page.write()
    table.overhead(console, found)
    if not all(verdict["holds"] for verdict in found["verdicts"]):
        raise typer.Exit(FAILED)


def _known(kind: str, asked: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in asked.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"unknown {kind} {name!r}; known: {', '.join(known)}")
    return [name for name in known if name in names]  # in their own order, each once


def _install(names: list[str], cases: list[Case], say: Any) -> tuple[list[Contender], list[Pair]]:
    """The peers whose environment is there, and the rows of those that have none."""
    contenders, failed = [], []
    for name in names:
        try:
            python = installs.ensure(name, contract.requirements(name), CACHE, say)
            contenders.append(Contender(name, contract.load(name), python))
        except BenchmarkError as exc:
            failed += [Pair(0, case.name, name, reason=f"not installed: {exc}") for case in cases]
    return contenders, failed


def _summarize(cases: list[Case], pairs: list[Pair]) -> dict[str, Any]:
    """Peers that were not asked for have a row too: without them no bar can be said to hold."""
    rows, light, verdicts = [], [], []
    undocumented = {name for name in contract.names() if not contract.documented(name)}
    for case in cases:
        ours = our_row(case, NAME, pairs)
        baselines = [*([IN_PROCESS] if case.against_runtime else []), *contract.names()]
        theirs = [peer_row(case, name, pairs) for name in baselines]
        rows += [ours, *theirs]
        light.append(our_row(case, NAME, pairs, alone=True))
        verdicts.append(verdict(case, ours, [row for row in theirs if row.name not in undocumented]))
    return {
        "rows": [dataclasses.asdict(row) for row in rows],
        "one_connection": [dataclasses.asdict(row) for row in light],
        "verdicts": [dataclasses.asdict(verdict) for verdict in verdicts],
    }


def _about(contender: Contender) -> dict[str, Any]:
    peer = contender.peer
    return {
        "version": installs.version(contender.python, peer.PACKAGE),
        "onnxruntime": installs.version(contender.python, "onnxruntime"),
        "configuration": inspect.cleandoc(peer.__doc__ or ""),
        "encodings": peer.ENCODINGS,
    }


if __name__ == "__main__":
    typer.run(main)
