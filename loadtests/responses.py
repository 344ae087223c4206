"""The responses kept from a block, as an `.npz`: `payload` (which request was answered) and the output tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtests.errors import PayloadError
from loadtests.payloads import Tensors, read_arrays, split_arrays, write_arrays

PAYLOAD = "payload"


@dataclass(frozen=True)
class Response:
    """One kept response: the index of the request it answers, and its output tensors."""

    payload: int
    outputs: Tensors


def save(path: str | Path, responses: Sequence[tuple[int, Mapping[str, np.ndarray]]]) -> None:
    """Write (payload index, outputs) pairs, whole or not at all; none is fine. Raises `PayloadError`."""
    arrays = {PAYLOAD: np.array([payload for payload, _ in responses], dtype=np.int64)}
    for index, (_, outputs) in enumerate(responses):
        arrays |= {f"{index}/{name}": array for name, array in outputs.items()}
    write_arrays(path, arrays)


def load(path: str | Path) -> list[Response]:
    """Read what `save` wrote; raises `PayloadError`."""
    arrays = read_arrays(path)
    payload = arrays.pop(PAYLOAD, np.empty(0, dtype=np.int64))
    outputs = split_arrays(path, arrays)
    if len(outputs) != len(payload):
        raise PayloadError(f"{path}: expected outputs of {len(payload)} responses, found {len(outputs)}")
    return [Response(int(index), tensors) for index, tensors in zip(payload, outputs, strict=True)]
