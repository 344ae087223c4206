"""`python -m benchmarks.grpc_loop PORT MODEL SAMPLE.npy SECONDS`: one client that asks as often as goes.

Prints the median latency as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median

import grpc
import numpy as np

from benchmarks.errors import LoadFailed
from benchmarks.models import INPUT, Array
from serving.reference.protos import oip_pb2 as oip

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def request(model: str, sample: Array) -> oip.ModelInferRequest:
    """An inference request with raw contents."""
    found = oip.ModelInferRequest(model_name=model, raw_input_contents=[sample.tobytes()])
    found.inputs.add(name=INPUT, datatype="FP32", shape=sample.shape)
    return found


def ask(port: int, asked: oip.ModelInferRequest) -> bytes:
    """The answer as it is on the wire; raises `LoadFailed`."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS) as channel:
        try:
            answer: bytes = channel.unary_unary(METHOD, oip.ModelInferRequest.SerializeToString)(asked)
        except grpc.RpcError as exc:
            raise LoadFailed(f"gRPC: {exc}") from exc
    return answer


def main() -> None:
    port, model, sample, seconds = sys.argv[1], sys.argv[2], np.load(sys.argv[3]), float(sys.argv[4])
    asked = request(model, sample)
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS) as channel:
        call = channel.unary_unary(METHOD, oip.ModelInferRequest.SerializeToString, oip.ModelInferResponse.FromString)
        latencies_s = []
        begin = before = time.perf_counter()
        while before - begin < seconds:
            call(asked)
            after = time.perf_counter()
            latencies_s.append(after - before)
            before = after
    print(json.dumps({"p50_ms": median(latencies_s[len(latencies_s) // 10 :]) * 1e3}))  # the first tenth warms up


if __name__ == "__main__":
    main()
