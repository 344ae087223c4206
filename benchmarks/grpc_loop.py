"""`python -m benchmarks.grpc_loop PORT MODEL SAMPLE.npy SECONDS`: one client that asks as often as goes.

Prints the median latency as JSON. No compiled gRPC client is packaged: what Python costs this one is in the figure.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median

import grpc
import numpy as np

from benchmarks.models import INPUT
from serving.reference.protos import oip_pb2 as oip

METHOD = "/inference.GRPCInferenceService/ModelInfer"


def main() -> None:
    port, model, sample, seconds = sys.argv[1], sys.argv[2], np.load(sys.argv[3]), float(sys.argv[4])
    request = oip.ModelInferRequest(model_name=model, raw_input_contents=[sample.tobytes()])
    request.inputs.add(name=INPUT, datatype="FP32", shape=sample.shape)
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        ask = channel.unary_unary(METHOD, oip.ModelInferRequest.SerializeToString, oip.ModelInferResponse.FromString)
        latencies_s = []
        begin = before = time.perf_counter()
        while before - begin < seconds:
            ask(request)
            after = time.perf_counter()
            latencies_s.append(after - before)
            before = after
    print(json.dumps({"p50_ms": median(latencies_s[len(latencies_s) // 10 :]) * 1e3}))  # the first tenth warms up


if __name__ == "__main__":
    main()
