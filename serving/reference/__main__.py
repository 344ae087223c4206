"""`python -m serving.reference --artifact DIR --runtime NAME --host 127.0.0.1 --port P --threads N`.

Exit status: 0 after SIGTERM or SIGINT, with requests in flight answered; 1 where it cannot start, with the reason as
one line on stderr; 2 for arguments that do not parse.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from serving.reference import runtimes
from serving.reference.app import App
from serving.reference.model import load

KEEP_ALIVE_S = 3600  # a candidate is paused for minutes while others are measured; its connections must survive that


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again after its graceful end: that is exit 0
        signal.signal(number, lambda *_: sys.exit(0))
    arguments = _parse()
    try:
        listener = _bind(arguments.host, arguments.port)
        model = load(arguments.artifact, arguments.runtime, arguments.threads)
    except Exception as exc:
        reason = " ".join(str(exc).split()) or type(exc).__name__
        sys.exit(f"cannot serve {arguments.artifact}: {reason}")  # prints to stderr and exits with 1
    config = uvicorn.Config(
        App(model, arguments.max_body_bytes),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    print(f"serving {model.name} on {model.platform}, threads: {arguments.threads}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


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
    parser = argparse.ArgumentParser(prog="python -m serving.reference", description="Serve one artifact.")
    parser.add_argument("--artifact", type=Path, required=True, help="folder with manifest.json")
    parser.add_argument("--runtime", choices=runtimes.NAMES, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True, help="size of the runtime's thread pool")
    parser.add_argument("--max-body-bytes", type=int, default=64 * 1024 * 1024)
    return parser.parse_args()


if __name__ == "__main__":
    main()
