"""TensorFlow Serving's REST API: the codec, and a client that asks once. https://www.tensorflow.org/tfx/serving/api_rest

One input goes by rows (`instances`), several by columns (`inputs`). Answers tell no dtypes, and a sole output has no
name: `loadtests.untyped.fit` gives it both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from loadtests.ask import post, require_ok
from loadtests.errors import ProtocolError
from loadtests.request import Request
from loadtests.untyped import UNNAMED, from_json

TRANSPORT: Final = "http"
TYPED: Final = False

SIGNATURE = "serving_default"


def encode(model: str, tensors: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> Request:
    """One prediction; raises `ProtocolError` for a choice of outputs, NaN, infinities, and what is not numeric."""
    if outputs is not None:
        raise ProtocolError("TensorFlow Serving's REST API always answers with all outputs")
    for name, array in tensors.items():
        if array.dtype.kind not in "biuf":
            raise ProtocolError(f"tensor {name!r} is {array.dtype}; known: booleans, integers and floats")
    values = {name: array.tolist() for name, array in tensors.items()}
    (first, *others) = tensors.values()
    by_rows = not others and first.ndim > 0
    asked = {"instances": next(iter(values.values()))} if by_rows else {"inputs": values}
    try:
        body = json.dumps({"signature_name": SIGNATURE, **asked}, separators=(",", ":"), allow_nan=False)
    except ValueError as exc:
        raise ProtocolError(f"JSON has no NaN and no infinity: {exc}") from exc
    return Request(f"/v1/models/{quote(model, safe='')}:predict", {"Content-Type": "application/json"}, body.encode())


def decode(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, np.ndarray]:  # noqa: ARG001 - contract
    """The outputs by name (a sole one is `UNNAMED`) as bool, int64 or float64.

    Raises `ProtocolError` with the server's words where the status is not 200, and for what is no prediction.
    """
    require_ok(status, body)
    try:
        answer = json.loads(body)
        values = _columns(answer["predictions"]) if "predictions" in answer else answer["outputs"]
    except (ValueError, TypeError, KeyError) as exc:
        raise ProtocolError(f"not a prediction: {type(exc).__name__}: {exc}") from exc
    named = values if isinstance(values, dict) else {UNNAMED: values}
    return {name: from_json(name, each) for name, each in named.items()}


def infer(url: str, model: str, tensors: Mapping[str, np.ndarray], timeout_s: float) -> dict[str, np.ndarray]:
    """Ask `http://host:port` once, on a connection of its own, and wait; raises as `post` and `decode` do."""
    return decode(*post(url, encode(model, tensors), timeout_s))


def _columns(rows: Any) -> Any:
    """Values by output name where each row is an object; else the rows as they are, which are one output's."""
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        return {name: [row[name] for row in rows] for name in rows[0]}
    return rows
