"""A served artifact's answers against the source's: the cold-start probe, parity over the wire, quality."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import models.zoo
from loadtests import protocols
from loadtests.errors import NotReady
from loadtests.untyped import fit
from models.cases import Case, Reference
from models.pair import Tensors
from pipelines import results
from pipelines.parity import Parity, compare, worst

TIMEOUT_S = 60.0


class WrongAnswer(Exception):
    """The server answers, and the answer is not the source's."""


Ask = Callable[[Case], Tensors]


def read(protocol: str, outputs: Tensors, expected: Tensors) -> Tensors:
    """The outputs that came over a protocol; where it tells neither dtypes nor names, those of what is expected."""
    return outputs if protocols.load(protocol).TYPED else fit(outputs, expected)


def probe(protocol: str, model: str, case: Case, tolerance: float) -> Callable[[str], bool]:
    """A check for an engine: False until the server answers, True when it answers `case` rightly.

    Raises `ProtocolError` where the protocol cannot carry the case; the check does where the answer is an error, and
    `WrongAnswer` where it deviates.
    """
    client = protocols.load(protocol)
    # Before a server's cold start is timed: what cannot be carried is refused, and TensorFlow's messages are imported.
    client.encode(model, case.inputs)

    def is_right(url: str) -> bool:
        try:
            outputs = client.infer(url, model, case.inputs, TIMEOUT_S)
        except NotReady:
            return False
        parity = compare(read(protocol, outputs, case.outputs), case.outputs, hop="served", tolerance=tolerance)
        if not parity.passed:
            raise WrongAnswer(f"the first response deviates from the source: {describe(parity)}")
        return True

    return is_right


def asker(protocol: str, url: str, model: str) -> Ask:
    """Asks a running server, one request a call, for outputs like the case's; raises `ProtocolError` or `NotReady`."""
    client = protocols.load(protocol)
    return lambda case: read(protocol, client.infer(url, model, case.inputs, TIMEOUT_S), case.outputs)


def parity(ask: Ask, cases: Sequence[Case], tolerance: float) -> results.Parity:
    """The worst of all parity inputs, sent over the wire one by one."""
    return record(worst([compare(ask(case), case.outputs, hop="served", tolerance=tolerance) for case in cases]))


def quality(ask: Ask, model: str, reference: Reference) -> results.Quality:
    """The pair's metrics of what the server answers on the held-out set, beside the source's own."""
    pair = models.zoo.load(model)
    outputs = [ask(case) for case in reference.evaluation]
    first, *others = pair.quality(outputs, [case.outputs for case in reference.evaluation])
    return results.Quality(
        **dataclasses.asdict(first), others=tuple(results.Metric(**dataclasses.asdict(other)) for other in others)
    )


def record(parity: Parity) -> results.Parity:
    return results.Parity(**dataclasses.asdict(parity))


def describe(parity: Parity | results.Parity) -> str:
    """`error 0.31 of the largest output`, or the reason where there is one."""
    if parity.reason:
        return parity.reason
    return f"error {parity.max_rel_error:.2g} of the largest output"
