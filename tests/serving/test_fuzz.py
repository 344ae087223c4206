"""Bad requests by the thousand: none is a 5xx, none hangs, none leaves memory behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serving import fuzzing, tiny
from tests.serving.client import Answer, as_json, infer
from tests.serving.fuzzing import EFFORT, INFER, MODEL, post, tries
from tests.serving.running import Server, add, running
from tests.serving.test_protocol import samples
from tests.serving.wire import Wire

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
GROWTH_BYTES = 5 * MIB
"""10,000 requests that each kept 525 bytes would exceed it. What the allocator still settles took up to 2.6 MiB in
twenty runs, and no more over 100,000 requests."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`echo` has an input of each datatype; `spare` may be loaded and unloaded. No request may make it fail."""
    folder = tmp_path_factory.mktemp("fuzz")
    add(tiny.onnx_echo(tmp_path_factory.mktemp("echo")), folder, MODEL)
    add(tiny.onnx(tmp_path_factory.mktemp("tiny")), folder, "spare")
    with running(folder, "--max-body-bytes", "1000000") as found:
        yield found
        inputs = [as_json(f"in_{wire}", array) for wire, array in samples().items()]
        assert infer(found.url, MODEL, {"inputs": inputs}).status == 200
        assert "internal error" not in found.log.read_text()


class Client:
    """Asks on one connection for as long as the server keeps it open."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._wire = Wire(url)

    def ask(self, request: bytes) -> Answer:
        """The answer, or `TimeoutError`; what is sent beyond a request that was refused may not arrive any more."""
        with suppress(ConnectionError):
            self._wire.socket.sendall(request)
        answer = self._wire.answer()
        if answer.headers.get("connection") == "close":
            self._wire.socket.close()
            self._wire = Wire(self._url)
        return answer


@pytest.mark.parametrize("spoiled", [fuzzing.spoiled_inference, fuzzing.spoiled_prediction, fuzzing.spoiled_request])
def test_a_spoiled_request_gets_a_clear_refusal_or_an_answer(
    server: Server, spoiled: Callable[[Random], bytes]
) -> None:
    client = Client(server.url)
    seen: Counter[int] = Counter()

    @tries(1000)
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        answer = client.ask(spoiled(random))
        seen[answer.status] += 1
        assert answer.status < 500, answer.body
        if answer.status >= 400:
            assert list(answer.json) == ["error"]

    check()
    assert seen.total() - seen[200] > 0.4 * seen.total(), seen


PIECES = [
    post(INFER, b"{}"), post(INFER, b"{}")[:-1], b"GET /v2 HTTP/1.1\r\n\r\n", b"GET /v2 HTTP/1.0\r\n\r\n",
    b"GET ", b"POST ", b"HEAD /metrics HTTP/1.1\r\n", b"CONNECT x:1 HTTP/1.1\r\n\r\n", b" HTTP/1.1\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 70000\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Host: x\r\n",
    b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"\r\n", b"\n", b"\r", b": ", b"\0", b"x" * 70_000,
    b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]  # fmt: skip


def test_garbage_on_the_socket_is_refused_or_cut_off(server: Server) -> None:
    @tries(500)
    @given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), min_size=1, max_size=8))
    def check(pieces: list[bytes]) -> None:
        with Wire(server.url) as wire:
            try:
                wire.socket.sendall(b"".join(pieces))
                wire.socket.shutdown(1)
                statuses = re.findall(rb"HTTP/1\.1 (\d+) ", wire.rest())
            except ConnectionError:  # cut off after an answer
                return
            assert all(int(status) < 500 for status in statuses)

    check()


def test_ten_thousand_bad_requests_are_no_5xx_and_leave_no_memory_behind(server: Server) -> None:
    random = Random(0)
    client = Client(server.url)
    kinds = [fuzzing.spoiled_inference, fuzzing.spoiled_prediction, fuzzing.spoiled_request]

    def ask(requests: int) -> int:
        for number in range(requests):
            if number % 50 == 0:  # one that leaves amid its body
                with Wire(server.url) as leaving:
                    leaving.socket.sendall(post(INFER, bytes(100_000))[:80_000])
            assert client.ask(kinds[number % 3](random)).status < 500
        return int(server.process.memory_info().rss)

    before = ask(2_000)
    after = ask(10_000 * EFFORT)
    print(f"{before / MIB:.1f} MiB before, {(after - before) / MIB:+.2f} MiB")
    assert after - before < GROWTH_BYTES


def test_schemathesis_finds_nothing_against_the_published_description(server: Server, tmp_path: Path) -> None:
    Path(tmp_path, "schemathesis.toml").write_text(CONFIG)
    effort = ["--generation-deterministic"] if EFFORT == 1 else []
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/openapi.json", *effort]
    command += ["--max-examples", str(30 * EFFORT), "--continue-on-failure", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    document = server.get("/openapi.json")
    operations = sum(len(path.keys() - {"parameters"}) for path in document["paths"].values())
    assert f"Tested: {operations - 1}\n" in done.stdout  # it leaves out where the description itself lies


CONFIG = f"""
request-timeout = 10.0

[parameters]
"path.name" = {json.dumps(MODEL)}
"path.version" = "1"

[[operations]]
include-path-regex = "/v2/repository/models/"
parameters = {{ "path.name" = "spare" }}

[checks.positive_data_acceptance]
# What a model takes is in its metadata, not in the description of the protocol.
enabled = false
"""
