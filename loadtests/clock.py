"""How far another host's clock is ahead of ours, from messages sent to and fro: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ping:
    """One exchange: sent and received by our clock, answered by the other's, all in seconds."""

    sent: float
    answered: float
    received: float


@dataclass(frozen=True)
class Offset:
    """The other's clock minus ours. The true one lies within `error_s` of it, however uneven the two ways were."""

    seconds: float
    error_s: float


def offset(pings: Sequence[Ping]) -> Offset:
    """Of the exchange that took the shortest: offset = answered - (sent + received)/2, error = (received - sent)/2.

    As in NTP (RFC 5905, sections 8 and 10: the clock filter prefers the sample of the least delay), where the other
    answers at once. Raises ValueError without any ping.
    """
    best = min(pings, key=lambda ping: ping.received - ping.sent)
    return Offset(best.answered - (best.sent + best.received) / 2, (best.received - best.sent) / 2)
