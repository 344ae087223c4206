"""The Open Inference Protocol's and TensorFlow Serving's pages about a model."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from loadtests import ask
from loadtests.errors import NotReady, ProtocolError
from pipelines.foreign.contract import Foreign, Input, datatype, unlisted

TIMEOUT_S = 10.0


def _get(url: str, path: str, method: str = "GET") -> tuple[int, Any]:
    """Status and JSON (None where it is none); raises `NotReady` where nobody answers, `ProtocolError` without HTTP."""
    status, _, body = ask.exchange(url, method, path, b"{}" if method == "POST" else None, {}, TIMEOUT_S)
    try:
        return status, json.loads(body)
    except (ValueError, RecursionError):
        return status, None


def _page(url: str, path: str) -> dict[str, Any]:
    """A JSON object; raises `ProtocolError` with the server's words where it has another answer."""
    status, found = _get(url, path)
    said = f": {found['error']}" if isinstance(found, dict) and "error" in found else ""
    if status == 503:
        raise NotReady(f"{url}{path}: status 503{said}")
    if status != 200 or not isinstance(found, dict):
        raise ProtocolError(f"{url}{path}: status {status}{said or ', and no JSON object'}")
    return found


def _v2_models(url: str) -> list[str]:
    """`/v2/models` of KServe and the reference server, or the repository index of Triton and MLServer."""
    status, found = _get(url, "/v2/models")
    if status == 200 and isinstance(found, dict) and isinstance(found.get("models"), list):
        return [str(name) for name in found["models"]]
    status, found = _get(url, "/v2/repository/index", "POST")
    if status == 200 and isinstance(found, list):
        return list(dict.fromkeys(str(each.get("name")) for each in found if isinstance(each, dict)))
    return []


def _v2_require_ready(url: str, model: str) -> None:
    status, found = _get(url, f"/v2/models/{quote(model, safe='')}/ready")
    said = f": {found['error']}" if isinstance(found, dict) and "error" in found else ""
    if status != 200:
        error = NotReady if status == 503 else ProtocolError
        raise error(f"{url}: model {model!r} is not ready: status {status}{said}")


def _v2_inputs(url: str, model: str) -> tuple[Input, ...]:
    path = f"/v2/models/{quote(model, safe='')}"
    found = _page(url, path)
    try:
        return tuple(
            Input(str(each["name"]), str(each["datatype"]), tuple(map(int, each["shape"]))) for each in found["inputs"]
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise ProtocolError(f"{url}{path}: not a model's metadata: {type(exc).__name__}: {exc}") from exc


def _v1_require_ready(url: str, model: str) -> None:
    found = _page(url, f"/v1/models/{quote(model, safe='')}")
    states = [each.get("state") for each in found.get("model_version_status", ()) if isinstance(each, dict)]
    if "AVAILABLE" not in states:
        raise NotReady(f"{url}: model {model!r} is not ready: {', '.join(map(str, states)) or 'no version'}")


def _v1_inputs(url: str, model: str) -> tuple[Input, ...]:
    path = f"/v1/models/{quote(model, safe='')}/metadata"
    found = _page(url, path)
    try:
        signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
        return tuple(_v1_input(name, each) for name, each in signature["inputs"].items())
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ProtocolError(f"{url}{path}: no serving_default in it: {type(exc).__name__}: {exc}") from exc


def _v1_input(name: str, described: dict[str, Any]) -> Input:
    sizes = described["tensor_shape"].get("dim", ())
    return Input(name, datatype(described["dtype"]), tuple(int(each["size"]) for each in sizes))


OIP = Foreign(_v2_models, _v2_require_ready, _v2_inputs)
TFS = Foreign(unlisted, _v1_require_ready, _v1_inputs)
