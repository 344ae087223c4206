"""Several workers as one load generator, on Locust's master. Import it first of all: it patches for gevent."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

# isort: split
# Locust patches sockets and threads on import; what was imported before it would keep the blocking ones.
from locust.env import Environment

# isort: split
import gevent.queue
import gevent.socket
from locust.exception import RPCError

from loadtests import child, clock, merge, recorder, responses, samples, wire
from loadtests.block import Block, GeneratorUse, Replay, Result
from loadtests.errors import GeneratorError

START_S = 45.0
"""How long the workers of this machine may take to come; 1-2 s each where nothing else runs."""
AHEAD_S = 0.1
"""From the word to go to the start of the window: the message must be with every worker before."""
PINGS = 10
TICK_S = 0.2
SAME_CLOCK = clock.Offset(0.0, 0.0)
"""CLOCK_MONOTONIC, which `perf_counter` reads, is one for all processes of a host."""


@dataclass
class Member:
    """One worker as the master sees it."""

    id: str
    """Locust's."""
    name: str
    folder: Path
    """Where the files it sends are stored."""
    core: str
    """Workers of the same core share it."""
    process: subprocess.Popen[bytes] | None
    """None: on another host, with a clock of its own."""
    clock: clock.Offset = SAME_CLOCK
    silent_s: float = 0.0
    has: set[str] = field(default_factory=set)
    """Names of the files it was sent."""


@dataclass(frozen=True)
class _Message:
    kind: str
    sender: str
    data: Any
    received: float


class Master:
    """Waits for workers, gives each its share of a block, and puts together what they send back.

    Raises `GeneratorError` that names the worker which ended, fell silent or failed; the block is void then, and so is
    this master: the other workers may be anywhere in it.
    """

    def __init__(self, listen: tuple[str, int], scratch: Path, silence_s: float) -> None:
        host, port = listen
        environment = Environment()
        try:
            self._runner = environment.create_master_runner(host, port)
        except (RPCError, SystemExit) as exc:
            raise GeneratorError(f"cannot wait for workers at {host}:{port}: {exc.__context__ or exc}") from exc
        self._host, self._port = host, self._runner.server.port
        self._scratch, self._silence_s = scratch, silence_s
        self._started: list[subprocess.Popen[bytes]] = []
        self._cores: list[str] = []
        self._members: dict[str, Member] = {}
        self._refused: list[str] = []
        self._inbox: gevent.queue.Queue[_Message] = gevent.queue.Queue()
        for kind in ("hello", "prepared", "pong", "part", "result", "failed"):
            self._runner.register_message(kind, self._take)
        environment.events.heartbeat_sent.add_listener(lambda client_id, **_: self._heard(client_id))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell the workers to end: those of other hosts then wait for the next master."""
        self._runner.quit()

    def start(self, workers: int, cpus: tuple[int, ...]) -> None:
        """Start workers on this machine: each on its own part of `cpus`, or sharing a core where they are more."""
        at = f"{'127.0.0.1' if self._host in {'*', '0.0.0.0', '[::]'} else self._host}:{self._port}"
        for index in range(workers):
            own = ",".join(str(cpu) for cpu in cpus[index % len(cpus) :: workers])
            folder = self._scratch / f"worker-{index + 1}"
            folder.mkdir(parents=True)
            arguments = ["--master", at, "--cpus", own, "--scratch", str(folder), "--index", str(index)]
            self._started.append(subprocess.Popen(child.command("worker", *arguments), stdin=subprocess.DEVNULL))
            self._cores.append(own)

    def gather(self, remote: int, join_s: float, say: Callable[[str], None]) -> None:
        """Wait until all started workers have come, and `remote` others."""
        begun = time.perf_counter()
        wanted = len(self._started) + remote
        while len(self._members) < wanted:
            missing = [process for process in self._started if process.pid not in self._pids()]
            limit_s = START_S if missing else join_s
            waited_s = time.perf_counter() - begun
            if waited_s > limit_s:
                came = ", ".join(member.name for member in self._members.values()) or "none"
                raise GeneratorError(
                    f"waited {waited_s:.0f} s for {wanted} workers, {remote} of them on other hosts; came: {came}"
                    + "".join(f"; {reason}" for reason in self._refused)
                )
            message = self._receive()
            if message is not None and message.kind == "hello":
                self._welcome(message, wanted, say)

    def measure(self, block: Block) -> Result:
        """One block, driven by all workers together from one instant on; writes its files."""
        begun = time.perf_counter()
        members = list(self._members.values())
        for member in members:
            member.silent_s = 0.0
        for index, member in enumerate(members):
            self._send_block(member, replace(block, share=(index, len(members))))
        self._answers("prepared")
        for member in members:
            if member.process is None:
                member.clock = self._compare_clocks(member)
        error_s = max(member.clock.error_s for member in members)
        start = time.perf_counter() + AHEAD_S + 2 * error_s
        for member in members:
            self._send(member, "go", {"start": start + member.clock.seconds})
        found = {
            id_: wire.result_from_json(json.loads(data["result"])) for id_, data in self._answers("result").items()
        }
        return self._conclude(block, [found[member.id] for member in members], time.perf_counter() - begun)

    def _send_block(self, member: Member, block: Block) -> None:
        block = replace(block, payloads=self._lend(member, block.payloads))
        if isinstance(block.arrivals, Replay):
            block = replace(block, arrivals=Replay(self._lend(member, block.arrivals.file)))
        self._send(member, "block", {"block": wire.block_to_json(block), "boot": wire.boot()})

    def _lend(self, member: Member, path: str) -> str:
        """Send a file, unless the worker has it; returns the name under which it finds it."""
        state = Path(path).stat()
        name = (
            f"{hashlib.sha256(f'{path} {state.st_mtime_ns} {state.st_size}'.encode()).hexdigest()}{Path(path).suffix}"
        )
        if name not in member.has:
            for part in wire.parts(Path(path), name):
                self._send(member, "part", part)
            member.has.add(name)
        return name

    def _compare_clocks(self, member: Member) -> clock.Offset:
        pings = []
        for _ in range(PINGS):
            sent = time.perf_counter()
            self._send(member, "ping", {})
            message = self._await("pong", member)
            pings.append(clock.Ping(sent, message.data["instant"], message.received))
        found = clock.offset(pings)
        print(
            f"{member.name}: its clock is {found.seconds:.6f} s ahead of ours, to {found.error_s * 1e3:.3f} ms",
            file=sys.stderr,
        )
        return found

    def _conclude(self, block: Block, results: list[Result], wall_s: float) -> Result:
        members = list(self._members.values())
        merged = merge.samples([samples.read(member.folder / wire.SAMPLES) for member in members])
        recorder.write(block.samples, merged)
        if block.responses is not None:
            kept = [each for member in members for each in responses.load(member.folder / wire.RESPONSES)]
            responses.save(block.responses, [(each.payload, each.outputs) for each in kept])
        of_core: dict[str, float] = defaultdict(float)
        for member, result in zip(members, results, strict=True):
            of_core[member.core] += result.generator.cpu_fraction
        kinds = merge.error_kinds(result.error_kinds for result in results)
        remote = [member.clock.error_s * 1e3 for member in members if member.process is None]
        return Result(
            offered_rps=len(merged.ok) / block.duration_s if merged.open else None,
            achieved_rps=samples.achieved_rps(merged),
            requests=len(merged.ok),
            errors=sum(kind.count for kind in kinds),
            error_kinds=kinds,
            generator=GeneratorUse(max(of_core.values()), wall_s),
            samples=block.samples,
            responses=block.responses,
            clock_error_ms=max(remote, default=None),
        )

    def _welcome(self, message: _Message, wanted: int, say: Callable[[str], None]) -> None:
        """Take a worker in, or refuse it where it is of another version; one too many is left waiting."""
        hello = message.data
        index = hello["index"]
        if index is not None:
            name = f"worker {index + 1} (pid {hello['pid']})"
            member = Member(
                message.sender,
                name,
                self._scratch / f"worker-{index + 1}" / "sent",
                self._cores[index],
                self._started[index],
            )
        else:
            name = f"worker {hello['host']} (pid {hello['pid']})"
            if hello["version"] != wire.version():
                reason = f"it has {hello['version']}, this host has {wire.version()}"
                self._refused.append(f"refused {name}: {reason}")
                say(self._refused[-1])
                self._runner.send_message("refused", {"reason": reason}, message.sender)
                return
            if len(self._members) == wanted:
                return
            folder = self._scratch / f"remote-{len(self._members) + 1}"
            member = Member(message.sender, name, folder, message.sender, None)
            say(f"{name} joined")
        member.folder.mkdir(parents=True)
        self._members[member.id] = member
        self._send(member, "welcome", {})

    def _pids(self) -> set[int]:
        return {member.process.pid for member in self._members.values() if member.process is not None}

    def _send(self, member: Member, kind: str, data: dict[str, Any]) -> None:
        self._runner.send_message(kind, data, member.id)

    def _take(self, environment: Any, msg: Any) -> None:  # noqa: ARG002 - Locust's names
        """Locust's listener: files go to disk as they come, all else waits to be asked for."""
        self._heard(msg.node_id)
        if msg.type == "part":
            if msg.node_id in self._members:
                wire.receive(self._members[msg.node_id].folder, msg.data)
        else:
            self._inbox.put(_Message(msg.type, msg.node_id, msg.data, time.perf_counter()))

    def _heard(self, id_: str) -> None:
        if id_ in self._members:
            self._members[id_].silent_s = 0.0

    def _answers(self, kind: str) -> dict[str, Any]:
        """One message of that kind from every worker, by its id."""
        found: dict[str, Any] = {}
        while len(found) < len(self._members):
            message = self._receive()
            if message is not None and message.kind == kind and message.sender in self._members:
                found[message.sender] = message.data
        return found

    def _await(self, kind: str, member: Member) -> _Message:
        while True:
            message = self._receive()
            if message is not None and message.kind == kind and message.sender == member.id:
                return message

    def _receive(self) -> _Message | None:
        """The next message; None where none came within `TICK_S`."""
        for index, process in enumerate(self._started):
            if (status := process.poll()) is not None:
                how = f"on signal {-status}" if status < 0 else f"with status {status}"
                raise GeneratorError(f"worker {index + 1} (pid {process.pid}) ended {how}")
        try:
            message: _Message = self._inbox.get(timeout=TICK_S)
        except gevent.queue.Empty:
            self._grow_silent()
            return None
        if message.kind == "failed" and message.sender in self._members:
            raise GeneratorError(f"{self._members[message.sender].name}: {message.data['error']}")
        return message

    def _grow_silent(self) -> None:
        """Counted in our own waiting, not by the clock: a master that did not run for a while has heard nobody."""
        for member in self._members.values():
            member.silent_s += TICK_S
            if member.silent_s > self._silence_s:
                raise GeneratorError(f"{member.name} has been silent for {member.silent_s:.0f} s")


def lines(stream: IO[str]) -> Iterator[str]:
    """The lines of a pipe to which one is written at a time; the workers' heartbeats are answered meanwhile."""
    while True:
        gevent.socket.wait_read(stream.fileno())
        line = stream.readline()
        if not line:
            return
        yield line
