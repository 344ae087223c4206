"""`python -m serving.reference --runtime NAME (--artifact DIR | --repository DIR) --port P --threads N`.

Exit status: 0 after SIGTERM or SIGINT, with requests in flight answered; 1 where it cannot start, with the reason as
one line on stderr, or where requests were still open at the end of `--drain-s`; 2 for arguments that do not parse.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import sys
from collections.abc import Callable
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

OTHER_FILES = 256
"""Of the runtime, of models, of gRPC's connections."""


def main() -> None:
    arguments = _parse()
    memory.keep_freed()
    try:
        _allow_files(arguments.max_connections)
        listener = _bind(arguments.host, arguments.port)
        if arguments.grpc_port is not None:
            _bind(arguments.host, arguments.grpc_port).close()  # gRPC binds by itself, and does not say what hinders it
        settings = Settings(
            listener,
            grpc_address=f"{arguments.host}:{arguments.grpc_port}" if arguments.grpc_port is not None else None,
            limits=Limits(arguments.max_body_bytes, arguments.max_connections, arguments.stall_s, arguments.idle_s),
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


def _allow_files(connections: int) -> None:
    """Each connection is an open file; raises `OSError` where the system lets this process have too few."""
    needed = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OSError(f"--max-connections {connections} needs {needed} open files, and the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _bind(host: str, port: int) -> socket.socket:
    """Bound before the model is loaded, so that a taken port is said at once; clients can connect only afterwards."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        raise OSError(f"{host}:{port}: {exc.strerror}") from exc
    return listener


_LIMITS = {
    "--max-batch-size": (0, 0, 2**31, "most rows merged from waiting requests, and in one of them; 0: never merge"),
    "--max-queue-delay-ms": (0.0, 0, 1e6, "wait for a fuller batch once two requests wait"),
    "--max-queue-size": (1024, 1, 2**31, "requests that may wait for a model; more are refused (429)"),
    "--overload-wait-ms": (10.0, 0, 1e6, "how long requests wait while others are refused; 0: any"),
    "--timeout-ms": (0.0, 0, 1e9, "deadline of requests that bring none (504); 0: none"),
    "--max-body-bytes": (64 * 1024 * 1024, 1, 2**31 - 1, "of one request; larger ones are refused (413)"),
    "--max-connections": (1024, 1, 2**20, "of HTTP, and open calls of gRPC; more are refused (503)"),
    "--stall-s": (10.0, 0.01, 1e6, "a request that does not come on for so long is given up (408)"),
    "--idle-s": (3600.0, 1, 1e6, "a connection without a request is closed after so long"),
    "--drain-s": (30.0, 0, 1e6, "longest wait for requests in flight at the end"),
}
"""Default, least, most and meaning of the options that are numbers."""


def _within(kind: type[float], least: float, most: float) -> Callable[[str], float]:
    """A number that argparse takes between these bounds only."""

    def number(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:  # nor NaN
            raise argparse.ArgumentTypeError(f"must be from {least:.10g} to {most:.10g}, found {text}")
        return value

    number.__name__ = kind.__name__  # which argparse names where the text is no number
    return number


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.reference", description="Serve exported artifacts.")
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--artifact", type=Path, help="folder with manifest.json: one model, under the manifest's id")
    models.add_argument("--repository", type=Path, help="folder of <model>/<version>/manifest.json")
    add = parser.add_argument
    add("--runtime", choices=runtimes.NAMES, required=True, help="library that computes")
    add("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    add("--port", type=_within(int, 0, 65535), required=True, help="of HTTP; 0: any free one, which the log tells")
    add("--grpc-port", type=_within(int, 0, 65535), help="serve gRPC too, on this port; 0: any free one")
    add(
        "--threads",
        type=_within(int, 1, 1024),
        default=len(os.sched_getaffinity(0)),
        help="of the runtime; default: as many as it has cores",
    )
    add("--model-control", choices=["none", "explicit"], default="explicit", help="none: clients load nothing")
    for name, (default, least, most, meaning) in _LIMITS.items():
        add(name, type=_within(type(default), least, most), default=default, help=f"{meaning}; default: %(default)s")
    add("--access-log", action="store_true", help="log every request")
    arguments = parser.parse_args()
    if arguments.port and arguments.port == arguments.grpc_port:
        parser.error("--port and --grpc-port must differ")
    return arguments


if __name__ == "__main__":
    main()
