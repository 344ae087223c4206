"""TensorFlow Serving's REST API, for every runtime: names, dtypes and shapes are those of the manifest.

https://www.tensorflow.org/tfx/serving/api_rest. One thing differs: NaN and Infinity, which no JSON has, are refused in
requests and null in answers, as in the Open Inference Protocol, where TensorFlow Serving writes them as bare words.
"""

from __future__ import annotations

import base64
from functools import partial
from operator import methodcaller
from typing import Any

import msgspec
import numpy as np
import orjson

from serving.reference import apart
from serving.reference.artifact import Tensor
from serving.reference.datatypes import WIRE, Array, check_rank, from_json, objects, shaped
from serving.reference.errors import RequestError
from serving.reference.exchange import JSON, READ, Exchange, Pending, Reply, page, reply
from serving.reference.model import Model
from serving.reference.repository import Repository
from serving.reference.runtimes import Arrays

SIGNATURE = "serving_default"
_DT = {"float16": "DT_HALF", "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "object": "DT_STRING"}


class _Prediction(msgspec.Struct):
    signature_name: str = SIGNATURE
    instances: list[Any] | msgspec.UnsetType = msgspec.UNSET
    inputs: Any = msgspec.UNSET


_DECODER = msgspec.json.Decoder(_Prediction)


def respond(exchange: Exchange, repository: Repository, parts: list[str]) -> Reply | Pending:
    """Answer what is asked of `/v1/models/<parts>`; raises `RequestError`."""
    *above, last = parts or [""]
    target, colon, verb = last.partition(":")
    about = bool(above) and last == "metadata"
    match above if about else [*above, target]:
        case [name]:
            version = ""
        case [name, "versions", version] if version:
            pass
        case [_, "labels", label]:
            raise RequestError(404, f"unknown label {label!r}: versions have numbers only")
        case _:
            raise RequestError(404, f"unknown path {exchange.head.path!r}")
    exchange.head.only(*([b"POST"] if colon else READ))
    model = repository.model(name, version)
    if about:
        return page(metadata(model))
    if not colon:
        ready = {"name": name, "ready": True}  # what KServe's v1 client looks for at this path
        return page(status([model] if version else repository.versions(name)) | ready)
    if verb != "predict":
        raise RequestError(400, f"{verb!r} is not supported, only 'predict'")
    read = partial(_read, exchange.body, model.manifest.inputs)
    if len(exchange.body) > apart.LONG_BYTES:
        # By the model that is served then: another may have taken its place.
        return apart.pending(read, lambda asked: _submitted(repository.model(name, version), *asked))
    return _submitted(model, *read())


def _read(body: memoryview, inputs: tuple[Tensor, ...]) -> tuple[bool, Arrays]:
    """Whether the request came in rows, and its inputs."""
    try:
        request = _DECODER.decode(body)
    except (ValueError, RecursionError) as exc:
        raise RequestError(400, f"the request is not one of prediction in JSON: {exc}") from exc
    if request.signature_name not in ("", SIGNATURE):
        raise RequestError(400, f"unknown signature {request.signature_name!r}; known: {SIGNATURE}")
    if (request.instances is msgspec.UNSET) == (request.inputs is msgspec.UNSET):
        raise RequestError(400, "either 'instances' or 'inputs' must be given")
    in_rows = isinstance(request.instances, list)
    values = _columns(request.instances) if isinstance(request.instances, list) else request.inputs
    return in_rows, _arrays(inputs, values)


def _submitted(model: Model, in_rows: bool, inputs: Arrays) -> Pending:
    return Pending(model.submit(inputs), partial(_encode, in_rows))


def _columns(rows: list[Any]) -> Any:
    """Values by input name where each row is an object, otherwise the rows as they are: one input's values."""
    named = [isinstance(row, dict) and not _is_binary(row) for row in rows]
    if not any(named):
        return rows
    if not all(named) or any(row.keys() != rows[0].keys() for row in rows):
        raise RequestError(400, "'instances' must be values only, or objects only that all have the same names")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _arrays(tensors: tuple[Tensor, ...], values: Any) -> Arrays:
    dtypes = {tensor.name: np.dtype(tensor.dtype) for tensor in tensors}
    if not isinstance(values, dict) or _is_binary(values):
        if len(dtypes) != 1:
            raise RequestError(400, f"the model has several inputs, which must be named: {', '.join(dtypes)}")
        values = dict.fromkeys(dtypes, values)
    if unknown := values.keys() - dtypes.keys():
        raise RequestError(400, f"unknown input {min(unknown)!r}; known: {', '.join(dtypes)}")
    return {name: _array(name, value, dtypes[name]) for name, value in values.items()}


def _array(name: str, value: Any, dtype: np.dtype[Any]) -> Array:
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    check_rank(name, len(shape))
    if dtype.kind == "O":
        value = _decoded(name, value, len(shape))
    return shaped(name, from_json(name, value if shape else [value], dtype), shape)


def _decoded(name: str, value: Any, rank: int) -> Any:
    """The value with its base64 objects as bytes; what is nested otherwise than its first element is refused later."""
    if rank and isinstance(value, list):
        return [_decoded(name, item, rank - 1) for item in value]
    if not _is_binary(value):
        return value
    text = value["b64"]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)  # padding is optional there
    except ValueError as exc:
        raise RequestError(400, f"input {name!r}: not base64: {exc}") from exc


def _is_binary(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _encode(in_rows: bool, outputs: Arrays) -> Reply:
    rows = {array.shape[:1] for array in outputs.values()}
    if in_rows and (len(rows) > 1 or () in rows):
        raise RequestError(400, "the outputs have no axis of rows in common: ask with 'inputs', not with 'instances'")
    plain = {name: _texts(name, array) if array.dtype.kind == "O" else array for name, array in outputs.items()}
    value: object = plain
    if len(plain) == 1:
        (value,) = plain.values()
    elif in_rows:
        value = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    document = {"predictions" if in_rows else "outputs": value}
    # orjson asks for help with objects, with arrays that are not contiguous, and with numbers that are C's long long.
    text = orjson.dumps(document, default=methodcaller("tolist"), option=orjson.OPT_SERIALIZE_NUMPY)
    return reply(200, JSON, [text])


def _texts(name: str, array: Array) -> Array:
    """Strings; base64 objects where the output is named `…_bytes`, and for a value that is no UTF-8."""
    values: list[Any] = []
    for value in array.reshape(-1):
        try:
            text = None if name.endswith("_bytes") else value.decode()
        except UnicodeDecodeError:
            text = None
        values.append({"b64": base64.b64encode(value).decode()} if text is None else text)
    return objects(values).reshape(array.shape)


def status(models: list[Model]) -> dict[str, Any]:
    status = {"error_code": "OK", "error_message": ""}
    found = [{"version": model.version, "state": "AVAILABLE", "status": status} for model in models]
    return {"model_version_status": found}


def metadata(model: Model) -> dict[str, Any]:
    sides = {"inputs": model.manifest.inputs, "outputs": model.manifest.outputs}
    described = {side: {tensor.name: _described(tensor) for tensor in tensors} for side, tensors in sides.items()}
    signature = {**described, "method_name": "tensorflow/serving/predict"}
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": model.version},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
    }


def _described(tensor: Tensor) -> dict[str, Any]:
    dims = [{"size": "-1" if isinstance(size, str) else str(size), "name": ""} for size in tensor.shape]
    dtype = _DT.get(tensor.dtype, f"DT_{WIRE[tensor.dtype]}")
    return {"dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": False}, "name": tensor.name}
