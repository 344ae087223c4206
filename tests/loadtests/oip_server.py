"""A small server that speaks minimal oip-http and misbehaves on request: `python oip_server.py MODE`, prints its port.

Every model echoes: output `y` is input `x`. Modes: fast, stall (100 ms every 2 s), slow (20 ms each), one_worker (5 ms
each, one after another), status_500, starting (503), close (instead of answering), trickle (a byte every 50 ms), short
(half of the body, then close), long (more than announced), wrong_length (a tensor not as long as it says), hang (never
answers), die (exits after 100 requests).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time

STALL_S, STALL_EVERY_S = 0.1, 2.0
SLOW_S = 0.02
SERVICE_S = 0.005
DIE_AFTER = 100
served = 0


class Server(asyncio.Protocol):
    """One connection."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(headers[b"content-length"])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.answer(rest[:length], int(headers[b"inference-header-content-length"]))

    def answer(self, body: bytes, split: int) -> None:
        global served  # noqa: PLW0603 - the smallest counter there is
        served += 1
        if self.mode == "die" and served > DIE_AFTER:
            os._exit(1)
        tensor = json.loads(body[:split])["inputs"][0]
        size = len(body) - split
        shown = size + 4 if self.mode == "wrong_length" else size
        output = tensor | {"name": "y", "parameters": {"binary_data_size": shown}}
        header = json.dumps({"model_name": "m", "outputs": [output]}).encode()
        whole = header + body[split:]
        match self.mode:
            case "status_500":
                self.send(b"500 Internal Server Error", b'{"error": "out of cheese"}', b"")
            case "starting":
                self.send(b"503 Service Unavailable", b'{"error": "still loading"}', b"")
            case "trickle":
                self.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000))
            case "close":
                self.transport.close()
            case "hang":
                pass
            case "short":
                self.send(b"200 OK", whole, split_header(header), announced=2 * len(whole))
                self.transport.close()
            case "long":
                self.send(b"200 OK", whole + b"x" * 10, split_header(header), announced=len(whole))
            case "one_worker":
                time.sleep(SERVICE_S)
                self.send(b"200 OK", whole, split_header(header))
            case "slow":
                arguments = (b"200 OK", whole, split_header(header))
                asyncio.get_running_loop().call_later(SLOW_S, self.send, *arguments)
            case _:
                self.send(b"200 OK", whole, split_header(header))

    def trickle(self, rest: bytes) -> None:
        self.transport.write(rest[:1])
        asyncio.get_running_loop().call_later(0.05, self.trickle, rest[1:])

    def send(self, status: bytes, body: bytes, headers: bytes, announced: int | None = None) -> None:
        length = len(body) if announced is None else announced
        self.transport.write(b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, length, body))


def split_header(header: bytes) -> bytes:
    return b"Inference-Header-Content-Length: %d\r\n" % len(header)


async def stall() -> None:
    """Block the whole loop, on the clock."""
    due = time.perf_counter()
    while True:
        due += STALL_EVERY_S
        await asyncio.sleep(due - time.perf_counter())
        time.sleep(STALL_S)


async def main(mode: str) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(mode), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    if mode == "stall":
        await stall()
    await server.serve_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(main(sys.argv[1]))
