"""Open Inference Protocol v2 over HTTP with tensors as JSON numbers, both ways: what every server of it understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loadtests.ask import post
from loadtests.protocols import oip_http
from loadtests.protocols.oip_http import TRANSPORT, TYPED, decode
from loadtests.request import Request

__all__ = ["TRANSPORT", "TYPED", "decode", "encode", "infer"]


def encode(model: str, tensors: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> Request:
    """One request for `outputs` (None: all); raises `ProtocolError` for NaN, infinities and FP16."""
    return oip_http.encode(model, tensors, outputs, binary=False)


def infer(url: str, model: str, tensors: Mapping[str, np.ndarray], timeout_s: float) -> dict[str, np.ndarray]:
    """Ask `http://host:port` once, on a connection of its own, and wait; raises as `post` and `decode` do."""
    return decode(*post(url, encode(model, tensors), timeout_s))
