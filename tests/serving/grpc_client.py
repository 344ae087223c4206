"""A gRPC client without stubs: any method by name, any message, or bytes that are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from google.protobuf.message_factory import GetMessageClass

from serving.reference.datatypes import WIRE, to_bytes
from serving.reference.protos import oip_pb2 as oip

SERVICE = "inference.GRPCInferenceService"
METHODS = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
TIMEOUT_S = 20.0

Array = np.ndarray[Any, Any]


class Client:
    """Calls of one server."""

    def __init__(self, port: int) -> None:
        # A channel of its own: otherwise channels to one address share a connection, and its end.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)

    def call(self, method: str, timeout_s: float = TIMEOUT_S, **fields: Any) -> Any:
        """The response to a request of these fields; raises `grpc.RpcError`."""
        request = GetMessageClass(METHODS[method].input_type)(**fields)
        return self.send(method, request.SerializeToString(), timeout_s).result()

    def infer(self, request: oip.ModelInferRequest, timeout_s: float = TIMEOUT_S) -> oip.ModelInferResponse:
        response: oip.ModelInferResponse = self.begin(request, timeout_s).result()
        return response

    def begin(self, request: oip.ModelInferRequest, timeout_s: float = TIMEOUT_S) -> Any:
        """A call whose result is waited for later."""
        return self.send("ModelInfer", request.SerializeToString(), timeout_s)

    def send(self, method: str, raw: bytes, timeout_s: float = TIMEOUT_S) -> Any:
        """A call with any bytes as its request."""
        known = METHODS.get(method)
        parse = GetMessageClass(known.output_type).FromString if known else None
        ask: Any = self.channel.unary_unary(f"/{SERVICE}/{method}", None, parse)
        return ask.future(raw, timeout_s)


@contextmanager
def connected(port: int) -> Iterator[Client]:
    """A client of the server on that port, once it answers."""
    client = Client(port)
    with client.channel:
        grpc.channel_ready_future(client.channel).result(TIMEOUT_S)
        yield client


def request(model: str, arrays: Mapping[str, Array]) -> oip.ModelInferRequest:
    """A request with raw tensors."""
    made = oip.ModelInferRequest(model_name=model)
    for name, array in arrays.items():
        made.inputs.add(name=name, datatype=WIRE[array.dtype.name], shape=array.shape)
        made.raw_input_contents.append(bytes(to_bytes(array)))
    return made


def outputs(response: oip.ModelInferResponse) -> dict[str, bytes]:
    """The raw outputs by name."""
    names = [output.name for output in response.outputs]
    return dict(zip(names, response.raw_output_contents, strict=True))
