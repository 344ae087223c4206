"""Triton's four clients, asked the same: `python -m tests.serving.clients.triton http|http.aio|grpc|grpc.aio`."""

from __future__ import annotations

from tests.serving.clients import triton_about as about
from tests.serving.clients import triton_infer as infer
from tests.serving.clients import triton_refused as refused
from tests.serving.clients.driver import main

if __name__ == "__main__":
    main(
        {
            "tiny": [
                about.health,
                about.metadata,
                about.configuration,
                infer.inference,
                infer.many_at_once,
                refused.bad_requests,
                refused.compression,
                refused.extensions_there_are_not,
                refused.a_stream,
                about.statistics,
                about.repository,
            ],
            "echo": [infer.every_datatype],
            "slow": [infer.deadlines, refused.too_large],
        }
    )
