"""What is asked of a server that was not deployed here, whatever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WORDS = {"DT_HALF": "FP16", "DT_FLOAT": "FP32", "DT_DOUBLE": "FP64", "DT_STRING": "BYTES"}


@dataclass(frozen=True)
class Input:
    """An input tensor as its server describes it."""

    name: str
    datatype: str
    """In the Open Inference Protocol's words: FP32, INT64, …"""
    shape: tuple[int, ...]
    """-1 for a dynamic axis."""


@dataclass(frozen=True)
class Foreign:
    """What may be asked of servers that speak one protocol."""

    models: Callable[[str], list[str]]
    """The models a server lists, by its URL; empty where it has no list."""
    require_ready: Callable[[str, str], None]
    """By URL and model: raises `NotReady` or `ProtocolError` with the server's words where it cannot be asked."""
    inputs: Callable[[str, str], tuple[Input, ...]]
    """By URL and model; raises `NotReady` or `ProtocolError`."""


def datatype(dt: str) -> str:
    """TensorFlow's `DT_FLOAT` in the Open Inference Protocol's words."""
    return WORDS.get(dt, dt.removeprefix("DT_"))


def unlisted(url: str) -> list[str]:  # noqa: ARG001 - the contract's
    """TensorFlow Serving has no list of models to ask for."""
    return []
