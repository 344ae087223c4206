"""What servers tell of a model over gRPC: the Open Inference Protocol's calls, and TensorFlow Serving's."""

from __future__ import annotations

from google.protobuf.message import Message

from loadtests.call import require_ok, unary
from loadtests.errors import NotReady, ProtocolError
from loadtests.request import Request
from pipelines.foreign.contract import Foreign, Input, datatype, unlisted

TIMEOUT_S = 10.0


def _call(url: str, path: str, message: Message) -> bytes:
    status, trailers, body = unary(url, Request(path, {}, message.SerializeToString()), TIMEOUT_S)
    require_ok(status, trailers)
    return body


def _oip(method: str, message: Message, url: str) -> bytes:
    return _call(url, f"/inference.GRPCInferenceService/{method}", message)


def _models(url: str) -> list[str]:
    from serving.reference.protos import oip_pb2 as oip

    try:
        body = _oip("RepositoryIndex", oip.RepositoryIndexRequest(), url)
    except ProtocolError:  # an extension, which not every server has
        return []
    return list(dict.fromkeys(each.name for each in oip.RepositoryIndexResponse.FromString(body).models))


def _require_ready(url: str, model: str) -> None:
    from serving.reference.protos import oip_pb2 as oip

    if not oip.ModelReadyResponse.FromString(_oip("ModelReady", oip.ModelReadyRequest(name=model), url)).ready:
        raise NotReady(f"{url}: model {model!r} is not ready")


def _inputs(url: str, model: str) -> tuple[Input, ...]:
    from serving.reference.protos import oip_pb2 as oip

    body = _oip("ModelMetadata", oip.ModelMetadataRequest(name=model), url)
    found = oip.ModelMetadataResponse.FromString(body)
    return tuple(Input(each.name, each.datatype, tuple(each.shape)) for each in found.inputs)


def _tfs_require_ready(url: str, model: str) -> None:
    """By its signatures: it tells them of models that can be asked only."""
    _tfs_inputs(url, model)


def _tfs_inputs(url: str, model: str) -> tuple[Input, ...]:
    from tensorflow.core.framework import types_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2 as metadata

    request = metadata.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = model
    answer = metadata.GetModelMetadataResponse.FromString(
        _call(url, "/tensorflow.serving.PredictionService/GetModelMetadata", request)
    )
    signatures = metadata.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    found = signatures.signature_def["serving_default"].inputs
    return tuple(
        Input(name, datatype(types_pb2.DataType.Name(each.dtype)), tuple(d.size for d in each.tensor_shape.dim))
        for name, each in found.items()
    )


OIP = Foreign(_models, _require_ready, _inputs)
TFS = Foreign(unlisted, _tfs_require_ready, _tfs_inputs)
