"""`python -m serving.reference --runtime NAME (--artifact DIR | --repository DIR) --port P --threads N`.

Exit status: 0 after SIGTERM or SIGINT, with requests in flight answered; 1 where it cannot start, with the reason as
one line on stderr, or where requests were still open at the end of `--drain-s`; 2 for arguments that do not parse.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import uvloop

from serving.reference import memory, runtimes
from serving.reference.config import Config
from serving.reference.model import Loaded
from serving.reference.reader import Limits
from serving.reference.repository import Folder, SingleArtifact, Source
from serving.reference.server import Settings, serve


def main() -> None:
    arguments = _parse()
    memory.keep_freed()
    try:
        listener = _bind(arguments.host, arguments.port)
        if arguments.grpc_port:
            _bind(arguments.host, arguments.grpc_port).close()  # gRPC binds by itself, and does not say what hinders it
        settings = Settings(
            listener,
            grpc_address=f"{arguments.host}:{arguments.grpc_port}" if arguments.grpc_port else None,
            limits=Limits(arguments.max_body_bytes, arguments.max_connections, arguments.stall_s),
            drain_s=arguments.drain_s,
            access_log=arguments.access_log,
            model_control=arguments.model_control == "explicit",
            # Not with every runtime that has the package beside it: its messages import all of TensorFlow.
            tfs_grpc=arguments.runtime == "tensorflow" and find_spec("tensorflow_serving") is not None,
        )
        load = partial(Loaded, runtime=arguments.runtime, threads=arguments.threads)
        drained = asyncio.Runner(loop_factory=uvloop.new_event_loop).run(serve(_source(arguments), load, settings))
    except Exception as exc:
        reason = " ".join(str(exc).split()) or type(exc).__name__
        sys.exit(f"cannot serve {arguments.artifact or arguments.repository}: {reason}")  # to stderr, status 1
    os._exit(0 if drained else 1)  # at once: nobody waits for an answer, and a runtime or a loader may not return


def _source(arguments: argparse.Namespace) -> Source:
    defaults = Config(
        max_batch_size=arguments.max_batch_size,
        max_queue_delay_us=round(arguments.max_queue_delay_ms * 1000),
        max_queue_size=arguments.max_queue_size,
        overload_wait_us=round(arguments.overload_wait_ms * 1000),
        default_timeout_us=round(arguments.timeout_ms * 1000),
    )
    if arguments.artifact:
        return SingleArtifact(arguments.artifact, defaults)
    return Folder(arguments.repository, defaults)


def _bind(host: str, port: int) -> socket.socket:
    """Bound before the model is loaded, so that a taken port is said at once; clients can connect only afterwards."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        raise OSError(f"{host}:{port}: {exc.strerror}") from exc
    return listener


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.reference", description="Serve exported artifacts.")
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--artifact", type=Path, help="folder with manifest.json: one model, under the manifest's id")
    models.add_argument("--repository", type=Path, help="folder of <model>/<version>/manifest.json")
    add = parser.add_argument
    add("--runtime", choices=runtimes.NAMES, required=True)
    add("--host", default="127.0.0.1")
    add("--port", type=int, required=True)
    add("--grpc-port", type=int, help="serve gRPC too, on this port")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the runtime; default: the cpuset's size")
    add("--model-control", choices=["none", "explicit"], default="explicit", help="whether clients may load and unload")
    add("--max-batch-size", type=int, default=0, help="most rows merged from waiting requests; 0: never merge")
    add("--max-queue-delay-ms", type=float, default=0.0, help="wait for a fuller batch once two requests wait")
    add("--max-queue-size", type=int, default=1024, help="requests that may wait for a model; more are refused (429)")
    add("--overload-wait-ms", type=float, default=20.0, help="how long requests wait while others are refused; 0: any")
    add("--timeout-ms", type=float, default=0.0, help="deadline of requests that bring none (504); 0: none")
    add("--max-body-bytes", type=int, default=64 * 1024 * 1024, help="of one request; larger ones are refused (413)")
    add("--max-connections", type=int, default=1024, help="of HTTP, and open calls of gRPC; more are refused")
    add("--stall-s", type=float, default=10.0, help="a request that does not come on for so long is given up (408)")
    add("--drain-s", type=float, default=30.0, help="longest wait for requests in flight at the end")
    add("--access-log", action="store_true", help="log every request")
    return parser.parse_args()


if __name__ == "__main__":
    main()
