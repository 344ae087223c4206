"""What the users of one block share: its schedule, its client, its recorder and its clock."""

from __future__ import annotations

import math
import time
from typing import Any

import gevent
import gevent.event

from loadtests import payloads, protocols
from loadtests.block import Block
from loadtests.errors import ProtocolError
from loadtests.recorder import Kept, Recorder
from loadtests.users.http_client import Answer, Failed, HttpClient
from loadtests.users.plan import plan


class Run:
    """One block under way. `start` (of `perf_counter`) is known once `started` is set."""

    def __init__(self, block: Block, request_event: Any) -> None:
        self.block = block
        self.protocol = protocols.load(block.protocol)
        requests = [self.protocol.encode(block.model, each) for each in payloads.load(block.payloads)]
        planned = plan(block, len(requests))
        self.users = planned.users
        self.schedule = planned.schedule
        self.recorder = Recorder(planned.payload, planned.slots)
        self.client = HttpClient(block.url, requests)
        self.client.open(planned.connections)
        self.started = gevent.event.Event()
        self.start = math.nan
        self.faults: list[Exception] = []
        """What neither a server's answer nor its absence explains: the block is void."""
        self._request_event = request_event
        self._name = f"{block.protocol} {block.model}"

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

    def send(self, row: int) -> bool:
        """Send the request of that row, record what comes of it, and fire Locust's `request` event.

        True where the answer was right. Killed meanwhile, the row stays unfinished.
        """
        recorder, failure, answer = self.recorder, None, None
        try:
            answer = self.client.exchange(int(recorder.payload[row]), recorder, row)
            self._judge(row, answer)
        except Failed as exc:
            failure = exc
            recorder.fail(row, exc.kind, str(exc))
        except Exception as exc:
            self.faults.append(exc)
            raise
        done = recorder.end[row] if answer is not None else time.perf_counter()
        self._request_event.fire(
            request_type="POST",
            name=self._name,
            response_time=(done - recorder.intended[row]) * 1e3,
            response_length=len(answer.body) if answer is not None else 0,
            exception=failure,
            context={},
        )
        return failure is None

    def give_up(self) -> None:
        """Count as errors the requests that were not answered when the drain was over, and those that never left."""
        self.recorder.fail_unfinished("timeout", f"no answer {self.block.drain_s:g} s after the end of the window")
        for instant in self.due[self.recorder.rows :]:
            self.recorder.fail(self.recorder.begin(instant), "unsent", "the generator did not come round to sending it")

    def _judge(self, row: int, answer: Answer) -> None:
        """Look at the status and whether there is a body; only the kept responses are decoded, after the block."""
        recorder = self.recorder
        recorder.status[row] = answer.status
        recorder.response_bytes[row] = len(answer.body)
        if answer.status != 200 or not answer.body:
            raise Failed(*self._explain(answer))
        recorder.ok[row] = True
        slot = int(recorder.slots[row])
        if slot >= 0:
            recorder.kept[slot] = Kept(row, answer.status, dict(answer.headers.items()), answer.body)

    def _explain(self, answer: Answer) -> tuple[str, str]:
        try:
            self.protocol.decode(answer.status, answer.headers, answer.body)
        except ProtocolError as exc:
            return ("undecodable" if answer.status == 200 else f"status_{answer.status}"), str(exc)
        return f"status_{answer.status}", "no message"
