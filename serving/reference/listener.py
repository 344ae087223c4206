"""How a listening socket ends without losing anybody: the kernel accepts connections before the program does.

Closing the socket resets those that the program has not taken yet, with the requests that they have already sent.
"""

from __future__ import annotations

import asyncio
import ctypes
import select
import socket
import struct
from contextlib import suppress

SO_ATTACH_FILTER = 26  # Linux, asm-generic/socket.h
HANDSHAKE_S = 0.1
"""For connections that are half open when the first ones are turned away."""

_REFUSE_NEW = [
    (0x30, 0, 0, 13),  # load the byte of TCP's header that holds its flags
    (0x45, 0, 1, 0x02),  # is SYN set?
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # let everything else pass
]
"""A classic BPF program: https://docs.kernel.org/networking/filter.html"""


async def close(server: asyncio.Server, listener: socket.socket) -> None:
    """Have the kernel take no more connections, wait until the server has taken all there are, and close.

    Where there is no such filter, only connections made in the microseconds before closing are lost.
    """
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _REFUSE_NEW)
    program = ctypes.create_string_buffer(code)
    with suppress(OSError):
        filtering = struct.pack("HP", len(_REFUSE_NEW), ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtering)
    await asyncio.sleep(HANDSHAKE_S)
    accepting = select.poll()
    accepting.register(listener, select.POLLIN)
    while accepting.poll(0):
        await asyncio.sleep(0)
    server.close()
