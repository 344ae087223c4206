"""The Open Inference Protocol v2 over gRPC, with Triton's configuration, statistics and repository extensions.

Copies of tensor bytes on the way in: by gRPC out of its buffers, by protobuf into the message, and out of it into the
`bytes` that arrays are views of. On the way out the same three, and one out of the array.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from serving.reference import apart, pages
from serving.reference.datatypes import DATATYPE, Array, from_bytes, from_json, named, objects, shaped, to_bytes
from serving.reference.errors import RequestError
from serving.reference.grpc_server import Context, Document, GrpcServer, timeout_s
from serving.reference.model import Model
from serving.reference.protos import oip_pb2 as oip
from serving.reference.repository import Repository
from serving.reference.runtimes import Arrays

NAME = "inference.GRPCInferenceService"
MAX_TIMEOUT_US = 10**12

_CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Where a tensor's values are when they are not raw; FP16 is raw only."""

_NOT_SUPPORTED = ("classification", "shared_memory_region")


def add(server: GrpcServer, repository: Repository, ready: Callable[[], bool]) -> None:
    server.add(NAME, oip.DESCRIPTOR.services_by_name["GRPCInferenceService"], _Methods(repository, ready))


class _Methods:
    """By the names of the protocol; documents are `pages`', as over HTTP."""

    def __init__(self, repository: Repository, ready: Callable[[], bool]) -> None:
        self._repository = repository
        self._ready = ready

    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> Document:
        return {"live": True}

    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> Document:
        return {"ready": self._ready()}

    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> Document:
        try:
            self._repository.model(request.name, request.version)
        except RequestError:
            return {"ready": False}  # as Triton: no error, whatever the reason
        return {"ready": True}

    async def ServerMetadata(self, request: oip.ServerMetadataRequest, context: Context) -> Document:
        return pages.server()

    async def ModelMetadata(self, request: oip.ModelMetadataRequest, context: Context) -> Document:
        model = self._repository.model(request.name, request.version)
        return pages.metadata(model, self._repository.versions(request.name))

    async def ModelConfig(self, request: oip.ModelConfigRequest, context: Context) -> Document:
        return {"config": pages.configuration(self._repository.model(request.name, request.version))}

    async def ModelStatistics(self, request: oip.ModelStatisticsRequest, context: Context) -> Document:
        if request.version:
            return pages.statistics([self._repository.model(request.name, request.version)])
        return pages.statistics(self._repository.versions(request.name) if request.name else self._repository.models())

    async def RepositoryIndex(self, request: oip.RepositoryIndexRequest, context: Context) -> Document:
        return {"models": self._repository.index(request.ready)}

    async def RepositoryModelLoad(self, request: oip.RepositoryModelLoadRequest, context: Context) -> Document:
        await asyncio.shield(self._repository.load(request.model_name, _parameters(request)))
        return {}

    async def RepositoryModelUnload(self, request: oip.RepositoryModelUnloadRequest, context: Context) -> Document:
        await asyncio.shield(self._repository.unload(request.model_name, _parameters(request)))
        return {}

    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        wanted, texts = _outputs(request), self._model(request).texts
        long = (texts or not request.raw_input_contents) and request.ByteSize() > apart.LONG_BYTES
        inputs = await apart.read(partial(_inputs, request, texts)) if long else _inputs(request, texts)
        model = self._model(request)  # not before: another may have taken its place
        # The call's task waits for the answer: when the client goes away gRPC cancels the one, and that the other.
        outputs = await model.submit(inputs, wanted, timeout_s(context, _own_timeout_s(request)))
        response = oip.ModelInferResponse(model_name=model.name, model_version=model.version, id=request.id)
        for name in wanted or outputs:
            array = outputs[name]
            response.outputs.add(name=name, datatype=DATATYPE[array.dtype], shape=array.shape)
            response.raw_output_contents.append(bytes(to_bytes(array)))
        return response

    def _model(self, request: oip.ModelInferRequest) -> Model:
        return self._repository.model(request.model_name, request.model_version)


def _inputs(request: oip.ModelInferRequest, texts: bool) -> Arrays:
    raw, tensors = request.raw_input_contents, request.inputs
    if raw and len(raw) != len(tensors):
        raise RequestError(400, f"raw_input_contents holds {len(raw)} tensors, inputs {len(tensors)}")
    arrays: Arrays = {}
    for index, tensor in enumerate(tensors):
        name = tensor.name
        if name in arrays:
            raise RequestError(400, f"input {name!r} is given twice")
        _check_parameters(f"input {name!r}", tensor.parameters)
        dtype = named(name, tensor.datatype, texts)
        if not raw:
            flat = _typed(tensor, dtype)
        elif tensor.HasField("contents"):
            raise RequestError(400, f"input {name!r} has both 'contents' and raw_input_contents")
        else:
            flat = from_bytes(name, memoryview(raw[index]), dtype)
        arrays[name] = shaped(name, flat, tensor.shape)
    return arrays


def _typed(tensor: oip.ModelInferRequest.InferInputTensor, dtype: np.dtype[Any]) -> Array:
    name, datatype = tensor.name, tensor.datatype
    if datatype not in _CONTENTS:
        raise RequestError(400, f"input {name!r}: {datatype} has no contents, send it in raw_input_contents")
    field = _CONTENTS[datatype]
    found = [descriptor.name for descriptor, _ in tensor.contents.ListFields()]
    if found not in ([], [field]):
        raise RequestError(400, f"input {name!r}: values of {datatype} belong into {field}, found {', '.join(found)}")
    values = list(getattr(tensor.contents, field))
    if datatype == "BYTES":
        return objects(values)
    # Integers as in JSON, as the field may be wider than the datatype; floats not, as here they may be infinite.
    return np.array(values, dtype) if dtype.kind == "f" else from_json(name, values, dtype)


def _outputs(request: oip.ModelInferRequest) -> dict[str, None] | None:
    for output in request.outputs:
        _check_parameters(f"output {output.name!r}", output.parameters)
    return dict.fromkeys(output.name for output in request.outputs) or None


def _check_parameters(tensor: str, parameters: Mapping[str, oip.InferParameter]) -> None:
    for extension in _NOT_SUPPORTED:
        if extension in parameters:
            raise RequestError(400, f"{tensor}: {extension!r} is not supported")


def _own_timeout_s(request: oip.ModelInferRequest) -> float:
    if "timeout" not in request.parameters:
        return 0.0
    timeout_us = _value(request.parameters["timeout"])
    if type(timeout_us) is not int or not 0 <= timeout_us < MAX_TIMEOUT_US:
        raise RequestError(400, f"'timeout' must be a number of microseconds, not {timeout_us!r}")
    return timeout_us / 1e6


def _parameters(request: oip.RepositoryModelLoadRequest | oip.RepositoryModelUnloadRequest) -> dict[str, object]:
    return {name: _value(parameter) for name, parameter in request.parameters.items()}


def _value(parameter: oip.InferParameter | oip.ModelRepositoryParameter) -> object:
    kind = parameter.WhichOneof("parameter_choice")
    return getattr(parameter, kind) if kind else None
