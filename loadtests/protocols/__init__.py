"""The wire protocols a load can speak: one module each, named like the protocol with `_` for `-`.

A protocol module has what `Protocol` says; all but `infer` is pure.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Literal, cast
from typing import Protocol as Contract

import numpy as np

from loadtests.errors import UnknownProtocol
from loadtests.request import Request

_MODULES = {module.name for module in pkgutil.iter_modules(__path__)}
NAMES = sorted(name.replace("_", "-") for name in _MODULES)
"""Wire names: `oip-http`, …"""


class Protocol(Contract):
    """What a protocol module offers."""

    TRANSPORT: Literal["http", "grpc"]
    """Which client carries it; URLs are `http://host:port` and `grpc://host:port`."""

    TYPED: bool
    """Whether answers tell the dtypes and names of outputs; where not, `fit` them to what is expected."""

    def encode(self, model: str, tensors: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> Request:
        """One inference request for `outputs` (None: all); raises `ProtocolError` for what cannot be carried."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, np.ndarray]:
        """The output tensors of an answer: HTTP's status and headers, or gRPC's status code (0 is OK) and trailers.

        Raises `ProtocolError` with the server's words where there are no tensors.
        """

    def infer(self, url: str, model: str, tensors: Mapping[str, np.ndarray], timeout_s: float) -> dict[str, np.ndarray]:
        """Ask once and wait; raises `NotReady` or `ProtocolError`."""


def load(name: str) -> Protocol:
    """The module of a protocol, by its wire name or its module's; raises `UnknownProtocol`."""
    module = name.replace("-", "_")
    if module not in _MODULES:
        raise UnknownProtocol(f"unknown protocol {name!r}; known: {', '.join(NAMES)}")
    return cast(Protocol, importlib.import_module(f"{__name__}.{module}"))
