"""The wire protocols a load can speak: one module each, named like the protocol with `_` for `-`.

A protocol module has `encode`, `decode`, `ready_path` and `infer`, with the signatures of `Protocol`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Protocol as Contract
from typing import cast

import numpy as np

from loadtests.errors import UnknownProtocol
from loadtests.request import Request

_MODULES = {module.name for module in pkgutil.iter_modules(__path__)}
NAMES = sorted(name.replace("_", "-") for name in _MODULES)
"""Wire names: `oip-http`, …"""


class Protocol(Contract):
    """What a protocol module offers."""

    def encode(
        self,
        model: str,
        tensors: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None = None,
        binary: bool = True,
    ) -> Request:
        """One inference request; raises `ProtocolError` for what the protocol cannot carry."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, np.ndarray]:
        """The output tensors of a response; raises `ProtocolError` with the server's words where there are none."""

    def ready_path(self, model: str) -> str:
        """The path that answers 200 once the model can be asked."""

    def infer(self, url: str, model: str, tensors: Mapping[str, np.ndarray], timeout_s: float) -> dict[str, np.ndarray]:
        """Ask once and wait; raises `NotReady` or `ProtocolError`."""


def load(name: str) -> Protocol:
    """The module of a protocol, by its wire name or its module's; raises `UnknownProtocol`."""
    module = name.replace("-", "_")
    if module not in _MODULES:
        raise UnknownProtocol(f"unknown protocol {name!r}; known: {', '.join(NAMES)}")
    return cast(Protocol, importlib.import_module(f"{__name__}.{module}"))
