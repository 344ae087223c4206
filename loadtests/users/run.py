"""What the users of one block share: its schedule, its client, its recorder and its clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event

from loadtests import payloads, protocols
from loadtests.block import Block
from loadtests.errors import ProtocolError
from loadtests.recorder import Kept, Recorder
from loadtests.users import clients
from loadtests.users.answer import Answer
from loadtests.users.plan import plan
from loadtests.users.timer import Timer

Ended = Callable[[bool], object]
"""Called from the hub when a request has ended: True where the answer was right."""


class Run:
    """One block under way. `start` (of `perf_counter`) is known once `started` is set."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.protocol = protocols.load(block.protocol)
        requests = [self.protocol.encode(block.model, each) for each in payloads.load(block.payloads)]
        planned = plan(block, len(requests))
        self.users = planned.users
        self.schedule = planned.schedule
        self.recorder = Recorder(planned.payload, planned.slots)
        self.timer = Timer()
        self.started = gevent.event.Event()
        self.start = math.nan
        self.faults: list[Exception] = []
        """What neither a server's answer nor its absence explains: the block is void."""
        self._ended: dict[int, Ended] = {}
        self._client = clients.make(self.protocol.TRANSPORT, block, requests, self.recorder, self)
        self._client.open(planned.connections)

    @property
    def due(self) -> list[float]:
        """The scheduled instants of an open load, of `perf_counter`."""
        return [] if self.schedule is None else (self.schedule + self.start).tolist()

    @property
    def stop(self) -> float:
        """The end of the window, of `perf_counter`."""
        return self.start + self.block.duration_s

    def begin(self, start: float) -> None:
        """Let the users begin at `start`, of `perf_counter`."""
        self.start = start
        self.started.set()

    def send(self, intended: float, ended: Ended) -> None:
        """Send the next request, due at `intended`, without waiting; record what comes of it, then call `ended`."""
        row = self.recorder.begin(intended)
        self._ended[row] = ended
        self._client.send(int(self.recorder.payload[row]), row)

    def exchange(self, intended: float) -> bool:
        """`send`, and let this greenlet wait until it has ended."""
        self.send(intended, gevent.getcurrent().switch)
        return bool(gevent.get_hub().switch())

    def close(self) -> None:
        """What is under way stays unfinished; count it, and what never left, as errors."""
        self._client.close()
        self.timer.close()
        self.recorder.fail_unfinished("timeout", f"no answer {self.block.drain_s:g} s after the end of the window")
        for instant in self.due[self.recorder.rows :]:
            self.recorder.fail(self.recorder.begin(instant), "unsent", "the generator did not come round to sending it")

    def report(self, request_event: Any) -> None:
        """Fire Locust's `request` event for each request of the block, in the order they were intended.

        After the block: nobody looks at Locust's statistics before, and its listeners would take the time of a request
        that is due. An error without an answer has no response time.
        """
        name, recorder = f"{self.block.protocol} {self.block.model}", self.recorder
        for row, (intended, end) in enumerate(zip(recorder.intended.tolist(), recorder.end.tolist(), strict=True)):
            if row == recorder.rows:
                return
            request_event.fire(
                request_type="POST",
                name=name,
                response_time=(end - intended) * 1e3 if end else None,
                response_length=int(recorder.response_bytes[row]),
                exception=recorder.failure(row),
                context={},
            )

    def answered(self, row: int, end: float, status: int, length: int, answer: Callable[[], Answer]) -> None:
        """Look at the status and whether there is a body; only the kept responses are decoded, after the block."""
        recorder = self.recorder
        recorder.end[row] = end
        recorder.status[row] = status
        recorder.response_bytes[row] = length
        right = status == 200 and length > 0
        try:
            if not right:
                recorder.fail(row, *self._explain(status, answer()))
            else:
                recorder.ok[row] = True
                slot = int(recorder.slots[row])
                if slot >= 0:
                    whole = answer()
                    recorder.kept[slot] = Kept(row, whole.status, dict(whole.headers), whole.body)
        except Exception as exc:
            self.faults.append(exc)
        self._ended.pop(row)(right)

    def failed(self, row: int, kind: str, message: str) -> None:
        """Count it as an error."""
        self.recorder.fail(row, kind, message)
        self._ended.pop(row)(False)

    def _explain(self, status: int, answer: Answer) -> tuple[str, str]:
        kind = clients.kind(self.protocol.TRANSPORT, status)
        try:
            self.protocol.decode(answer.status, answer.headers, answer.body)
        except ProtocolError as exc:
            return kind, str(exc)
        return kind, "no message"
