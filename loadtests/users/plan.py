"""What one process sends in a block: its share of the one schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from loadtests import arrivals
from loadtests.arrivals import Indices, Instants
from loadtests.block import Block, Closed

STALL_S = 0.25
"""How long a server may stall before an open load needs more connections than were opened beforehand."""
FEWEST, MOST = 4, 256
"""Bounds on the connections opened beforehand."""
CLOSED_RPS = 200_000
"""Rows made for a closed load, per second: one core was seen to send 61,000. Rows not used take no memory."""


@dataclass(frozen=True)
class Plan:
    """Rows of requests, in the order they are intended."""

    schedule: Instants | None
    """None for a closed load."""
    payload: Indices
    slots: Indices
    """As of `arrivals.keep_slots`. The responses that n processes keep are together those that one would have kept
    of an open load; of a closed one, as many."""
    users: int
    """Locust users: those of a closed load; an open one has one, which is the whole crowd."""
    connections: int
    """To open beforehand."""


def plan(block: Block, payloads: int) -> Plan:
    """Process i of n sends every n-th request of the whole schedule from the i-th on, or drives its part of the users.

    What is sent does not depend on n. Raises as `arrivals.schedule` and `arrivals.carried` do.
    """
    if isinstance(block.arrivals, Closed):
        return _closed(block, block.arrivals.users, payloads)
    first, step = block.share
    schedule = arrivals.schedule(block.arrivals, block.duration_s, block.seed)
    payload = arrivals.carried(block.arrivals, block.duration_s, block.seed, payloads, len(schedule))
    slots = arrivals.last_slots(arrivals.keep_slots(block.seed, block.keep_responses, len(schedule)))
    mine = schedule[first::step]
    connections = min(MOST, max(FEWEST, _most_within(mine, STALL_S)))
    return Plan(mine, payload[first::step], slots[first::step], users=1, connections=connections)


def _closed(block: Block, all_users: int, payloads: int) -> Plan:
    first, step = block.share
    count = math.ceil(CLOSED_RPS * block.duration_s)
    payload = arrivals.payload_draws(block.seed, payloads, count)[first::step]
    slots = arrivals.keep_slots(block.seed, len(range(first, block.keep_responses, step)), len(payload))
    users = len(range(first, all_users, step))
    return Plan(None, payload, slots, users=users, connections=users)


def _most_within(schedule: Instants, span_s: float) -> int:
    """The most requests that are due in any `span_s` seconds."""
    return int(np.max(np.searchsorted(schedule, schedule + span_s) - np.arange(len(schedule)), initial=0))
