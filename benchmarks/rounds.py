"""The measuring: in each round our server and one peer, one right after the other, case by case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from benchmarks import in_process, models, wrk
from benchmarks.cases import IN_PROCESS, Case
from benchmarks.errors import BenchmarkError
from benchmarks.models import Model
from benchmarks.peers.contract import Peer
from benchmarks.served import check, served
from benchmarks.wrk import Window
from serving.engines.contract import Say

CONNECTIONS = 8
WARM_UP_S = 1.0
"""wrk counts in whole seconds."""


@dataclass(frozen=True)
class Contender:
    """A server with the environment it runs in."""

    name: str
    peer: Peer
    python: Path


@dataclass(frozen=True)
class Bench:
    """What is the same for every window."""

    ours: Contender
    cache: Path
    seconds: float
    server_core: int
    client_core: int


@dataclass(frozen=True)
class Pair:
    """Two windows of one round, or the reason why there are none. `peer` None: ours alone at one connection."""

    round: int
    case: str
    peer: str | None
    ours: Window | None = None
    theirs: Window | None = None
    reason: str | None = None


def measure(bench: Bench, peers: list[Contender], cases: list[Case], rounds: int, say: Say) -> Iterator[Pair]:
    """Every pair as soon as it is measured. A peer that fails with a model is not started with it again."""
    given_up: set[tuple[str, str]] = set()
    by_model = [(name, list(group)) for name, group in groupby(cases, key=lambda case: case.model)]
    with ExitStack() as stack:
        ours = {}
        for name, _ in by_model:  # ours stay up all along: a server that waits for connections costs nothing
            model = models.load(name, bench.cache)
            url = stack.enter_context(served(bench.ours.peer, bench.ours.python, model, bench.server_core))
            ours[name] = (model, url)
        for number in range(1, rounds + 1):
            for name, group in by_model:
                model, url = ours[name]
                side = _Side(bench, url, bench.ours.peer, model)
                yield from _alone(side, group, number, say)
                for peer in peers:
                    if (peer.name, name) in given_up:
                        continue
                    for pair in _against(side, peer, group, number, say):
                        if pair.reason:
                            given_up.add((peer.name, name))
                        yield pair


@dataclass(frozen=True)
class _Side:
    """One server that is up."""

    bench: Bench
    url: str
    peer: Peer
    model: Model

    def load(self, case: Case, connections: int = CONNECTIONS) -> Window:
        """A checked, warmed window; raises `WrongAnswer` or `LoadFailed`."""
        check(self.url, self.peer, self.model, case.form)
        drive = partial(
            wrk.load,
            self.url,
            self.peer.request(self.model, case.form),
            connections=connections,
            core=self.bench.client_core,
        )
        drive(seconds=WARM_UP_S)
        return drive(seconds=self.bench.seconds)


def _alone(ours: _Side, cases: list[Case], number: int, say: Say) -> Iterator[Pair]:
    """At one connection; and against the runtime in process where that is the case's baseline."""
    bench = ours.bench
    for case in cases:
        say(f"round {number}: {case.name}, one connection")
        yield Pair(number, case.name, None, ours.load(case, connections=1))
        if case.against_runtime:
            say(f"round {number}: {case.name}, {IN_PROCESS}")
            first = number % 2 == 1
            mine = ours.load(case) if first else None
            theirs = in_process.load(ours.model, bench.ours.python, seconds=bench.seconds, core=bench.server_core)
            yield Pair(number, case.name, IN_PROCESS, mine or ours.load(case), theirs)


def _against(ours: _Side, peer: Contender, cases: list[Case], number: int, say: Say) -> Iterator[Pair]:
    bench = ours.bench
    say(f"round {number}: starting {peer.name} with {ours.model.name}")
    try:
        with served(peer.peer, peer.python, ours.model, bench.server_core) as url:
            theirs = _Side(bench, url, peer.peer, ours.model)
            for case in cases:
                say(f"round {number}: {case.name}, {peer.name}")
                yield _pair(ours, theirs, case, number, peer.name)
    except BenchmarkError as exc:
        for case in cases:
            yield Pair(number, case.name, peer.name, reason=str(exc))


def _pair(ours: _Side, theirs: _Side, case: Case, number: int, name: str) -> Pair:
    """Which of the two is first changes with the round: what drifts within a pair does not favour one of them."""
    windows: dict[bool, Window] = {}
    for mine in (True, False) if number % 2 else (False, True):
        try:
            windows[mine] = (ours if mine else theirs).load(case)
        except BenchmarkError as exc:
            return Pair(number, case.name, name, reason=f"ours: {exc}" if mine else str(exc))
    return Pair(number, case.name, name, windows[True], windows[False])
