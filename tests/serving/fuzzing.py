"""How hard the fuzz tests try, and the bad requests they try.

`FUZZ=20 make test` tries twenty times as much, and something else each time; without it every run tries the same.
"""

from __future__ import annotations

import copy
import json
import os
from random import Random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from serving.reference.datatypes import NUMPY
from tests.serving.client import as_binary, as_json, binary

EFFORT = int(os.environ.get("FUZZ", "1"))
MODEL = "echo"
INFER = f"/v2/models/{MODEL}/infer"

JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 3, 1.5, 1e308, 2**31, 2**63, 2**64, 10**400, "", "x", "FP32", "BYTES", "in_FP32",
    "\0", "x" * 5000, [], [[]], {}, {"b64": "YQ"}, {"b64": "?"}, [1, [2]], [0], [-1], [2**62, 4], [2**31, 2**31, 2**31],
    [1] * 65, {"binary_data_size": 4}, {"binary_data_size": -4}, {"binary_data_size": 2**40},
    {"shared_memory_region": "x"},
]  # fmt: skip
BYTES = [b"", b"\0", b"\xff" * 4, b"\xff\xff\xff\x7f", b'"', b"{", b"[" * 3000, b"NaN", b"1e999", b"\\ud800", b"\xc3("]
LENGTHS = [b"", b"-1", b"0", b"1", b"x", b"1e3", b"0x10", b"9" * 18, b"9" * 5000, b"\xb2", b"1, 2"]


def tries(examples: int) -> settings:
    """For a test that tries so many examples where `FUZZ` does not ask for more."""
    return settings(
        max_examples=examples * EFFORT,
        derandomize=EFFORT == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def post(path: str, body: bytes, header_length: bytes | None = None) -> bytes:
    """A whole HTTP request."""
    head = [b"POST %b HTTP/1.1" % path.encode(), b"Host: x", b"Content-Length: %d" % len(body)]
    if header_length is not None:
        head.append(b"Inference-Header-Content-Length: " + header_length)
    return b"\r\n".join([*head, b"", body])


def spoiled_inference(random: Random) -> bytes:
    """A right request of all datatypes in mixed encodings, spoiled in one to three places."""
    size = random.choice([1, 3, 3, 3, 4000])  # the largest makes the body one that is read in place
    tensors, follows = [], b""
    for wire, dtype in NUMPY.items():
        array = np.full(size, b"ab", object) if dtype == "object" else np.ones(size, dtype)
        if random.random() < 0.5:
            tensors.append(as_json(f"in_{wire}", array))
        else:
            tensors.append(as_binary(f"in_{wire}", array))
            follows += binary(array)
    document = {"id": "1", "parameters": {"binary_data_output": True}, "inputs": tensors, "outputs": []}
    spoils = random.choices(["tensor", "document", "bytes", "length", "body"], k=random.randint(1, 3))
    for _ in range(spoils.count("tensor")):
        _spoil_tensor(random, random.choice(tensors))
    for _ in range(spoils.count("document")):
        _spoil(random, document)
    header = json.dumps(document).encode()
    length = b"%d" % len(header)
    body = header + follows
    for spoil in spoils:
        if spoil == "bytes":
            at = random.randrange(len(body) + 1)
            body = body[:at] + random.choice(BYTES) + body[at + random.choice([0, 0, 1, 4, 100]) :]
        elif spoil == "length":
            length = random.choice([*LENGTHS, b"%d" % random.randrange(len(body) + 2)])
        elif spoil == "body":
            body = (
                body[: random.randrange(len(body) + 1)] if random.random() < 0.5 else body + bytes(random.randrange(9))
            )
    return post(INFER, body, length if follows or random.random() < 0.5 else None)


def spoiled_prediction(random: Random) -> bytes:
    """The same for TensorFlow Serving's REST."""
    columns: dict[str, Any] = {f"in_{wire}": [1, 1] for wire in NUMPY}
    columns |= {"in_BOOL": [True, False], "in_BYTES": ["a", {"b64": "YQ=="}]}
    rows = [{name: values[row] for name, values in columns.items()} for row in range(2)]
    document: dict[str, Any] = random.choice([{"inputs": columns}, {"instances": rows}])
    for _ in range(random.randint(1, 3)):
        _spoil(random, document)
    body = json.dumps(document).encode()
    if random.random() < 0.3:
        at = random.randrange(len(body) + 1)
        body = body[:at] + random.choice(BYTES) + body[at:]
    return post(f"/v1/models/{MODEL}:predict", body)


def spoiled_request(random: Random) -> bytes:
    """What is wrong before a body is looked at: paths, methods, names that are never the same, lengths, HTTP itself."""
    name = f"{random.getrandbits(64):x}"
    return random.choice(
        [
            post(f"/v2/models/{name}/infer", b"{}"),
            post(f"/v2/models/{MODEL}/versions/{name}/infer", b"{}"),
            post(f"/v1/models/{name}:{name}", b"{}"),
            post(f"/v2/repository/models/{name}/load", b"{}"),
            post(f"/v2/repository/models/{name}/unload", b"{}"),
            post("/v2/repository/index", name.encode()),
            post("/metrics", b"x" * random.randrange(100_000)),
            b"GET /%%ff%%00/%b?%b HTTP/1.1\r\n\r\n" % (name.encode(), b"x" * random.randrange(5000)),
            b"%b /v2 HTTP/1.1\r\n%b: x\r\n\r\n" % (random.choice([b"PUT", b"DELETE", b"OPTIONS"]), name.encode()),
            b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (INFER.encode(), 10 ** random.randint(8, 18)),
            b"POST %b HTTP/1.1\r\nContent-Encoding: %b\r\nContent-Length: 0\r\n\r\n" % (INFER.encode(), name.encode()),
            b"%b / HTTP/1.1\r\n\r\n" % name.encode(),
            b"GET / HTTP/1.1\r\n%b\r\n\r\n" % random.randbytes(random.randrange(1, 300)).replace(b"\r", b""),
            b"GET / HTTP/1.1\r\nX: %b\r\n\r\n" % (b"x" * 400_000),
        ]
    )


def _spoil_tensor(random: Random, tensor: dict[str, Any]) -> None:
    """Let an input say something of itself that is nearly true."""
    spoil = random.choice(["datatype", "shape", "size", "name"])
    if spoil == "size" and "parameters" in tensor:
        tensor["parameters"]["binary_data_size"] += random.randint(-9, 9)
    elif spoil == "shape":
        tensor["shape"] = random.choices([0, 1, 2, 3, 4000, 2**32, 2**62], k=random.randint(0, 4))
    elif spoil == "datatype":
        tensor["datatype"] = random.choice(list(NUMPY))
    else:
        tensor["name"] = f"in_{random.choice(list(NUMPY))}"


def _spoil(random: Random, document: Any) -> None:
    """Replace, remove or add one thing somewhere in a document."""
    node = document
    while True:
        if not node:
            return
        key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
        below = node[key]
        if isinstance(below, dict | list) and below and random.random() < 0.8:
            node = below
            continue
        break
    how = random.random()
    if how < 0.2:
        del node[key]
    elif how < 0.3 and isinstance(node, list):
        node.append(below)
    elif how < 0.4 and isinstance(node, dict):
        node[random.choice([*node, "data", "parameters", "x"])] = copy.deepcopy(random.choice(JUNK))
    else:
        node[key] = copy.deepcopy(random.choice(JUNK))
