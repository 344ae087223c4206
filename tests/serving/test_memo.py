"""What is kept of earlier requests: it saves work, and never shows in what a later one is answered with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serving.reference import reader, request
from serving.reference.errors import RequestError
from serving.reference.exchange import Exchange
from serving.reference.memo import MAX_ENTRIES, Memo
from serving.reference.reader import Limits, Reader
from serving.reference.request import Asked, Request, decode
from serving.reference.response import Encoder

HEAD = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
GET = b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"

Found = list[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    for memo in (reader._HEADS, request._KNOWN):
        memo.clear()
    yield
    for memo in (reader._HEADS, request._KNOWN):
        memo.clear()


def feed(under_test: Reader, *pieces: bytes) -> None:
    """As a socket does: into the buffer that is asked for, and never more than it has room for."""
    for piece in pieces:
        start = 0
        while start < len(piece):
            room = under_test.buffer()
            part = piece[start : start + len(room)]
            room[: len(part)] = part
            under_test.feed(len(part), 0.0)
            start += len(part)


def read(*pieces: bytes, limit: int = 1000) -> Found:
    """What a connection makes of bytes that come in these pieces: requests, refusals, interim responses."""
    found: Found = []

    def take(item: Exchange | RequestError) -> None:
        if isinstance(item, RequestError):
            found.append((item.status, item.reason))
        else:
            head = item.head
            found.append((head.method, head.path, dict(head.headers), head.keep_alive, bytes(item.body)))

    under_test = Reader(Limits(limit, connections=1), take, lambda interim: found.append((interim,)))
    feed(under_test, *pieces)
    found.append((under_test.refused, under_test.in_head, under_test.in_body))
    return found


ODD = {
    "whole": HEAD + b"\r\nabcd",
    "two at once": HEAD + b"\r\nabcd" + HEAD + b"\r\nefgh",
    "a body cut short": HEAD + b"\r\nab",
    "without a body": GET,
    "without a body, with something behind": GET + b"x",
    "empty lines before": b"\r\n\r\n" + HEAD + b"\r\nabcd",
    "an empty line before": b"\r\n" + HEAD + b"\r\nabcd",
    "bare feeds": b"POST / HTTP/1.1\nHost: x\nContent-Length: 4\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare feed ends the head": b"POST / HTTP/1.1\r\nContent-Length: 30\r\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "folded": HEAD + b"A: b\r\n c\r\n\r\nabcd",
    "a colon missing": HEAD + b"nonsense\r\n\r\nabcd",
    "two lengths": HEAD + b"Content-Length: 4\r\n\r\nabcd",
    "length and chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
    "chunks": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
    "closing": HEAD + b"Connection: close\r\n\r\nabcd",
    "HTTP/1.0": b"POST / HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd",
    "HTTP/1.0 that stays": b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nabcd",
    "upgrade": HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nabcd",
    "CONNECT": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\nabcd",
    "expecting": HEAD + b"Expect: 100-continue\r\n\r\nabcd",
    "compressed": HEAD + b"Content-Encoding: gzip\r\n\r\nabcd",
    "too large": b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n" + b"a" * 1001,
    "no HTTP": b"\x16\x03\x01\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("raw", ODD.values(), ids=list(ODD))
def test_a_head_that_was_seen_before_is_answered_as_at_first(raw: bytes) -> None:
    first = read(raw)
    for other in ODD.values():
        read(other)
    assert read(raw) == first


@pytest.mark.parametrize("at", range(1, len(HEAD) + 2))
def test_a_head_that_comes_again_is_not_completed_by_bytes_of_an_earlier_read(at: int) -> None:
    whole = HEAD + b"\r\nabcd"
    once = read(whole)[0]
    other = GET[:-2] + b"A: b\r\n\r\n"
    *found, (_, in_head, in_body) = read(whole, whole, whole, whole[:at])
    assert (found, in_head, in_body) == ([once] * 3, True, False)
    *found, state = read(whole, whole, whole, whole[:at], whole[at:], other, whole)
    assert (found, state) == ([once] * 4 + [read(other)[0], once], (False, False, False))


@pytest.mark.parametrize("raw", ODD.values(), ids=list(ODD))
def test_where_the_bytes_are_cut_does_not_matter(raw: bytes) -> None:
    apart = read(*(raw[at : at + 1] for at in range(len(raw))))
    for other in ODD.values():
        read(other)
    for cut in range(1, len(raw)):
        assert read(raw[:cut], raw[cut:])[-1] == apart[-1]
        assert [item for item in read(raw[:cut], raw[cut:]) if len(item) == 5] == [
            item for item in apart if len(item) == 5
        ]


def test_requests_with_one_head_have_bodies_of_their_own() -> None:
    bodies = [b"abcd", b"efgh", b"ijkl"]
    taken: list[Exchange] = []
    under_test = Reader(Limits(1000, connections=1), taken.append, lambda _: None)  # type: ignore[arg-type]
    for body in bodies:
        data = HEAD + b"\r\n" + body
        under_test.buffer()[: len(data)] = data
        under_test.feed(len(data), 0.0)
    assert [bytes(exchange.body) for exchange in taken] == bodies
    assert taken[1].head is taken[2].head


def test_a_limit_holds_for_heads_that_another_server_took() -> None:
    assert read(HEAD + b"\r\nabcd", HEAD + b"\r\nabcd", limit=4)[-1] == (False, False, False)
    assert read(HEAD + b"\r\nabcd", limit=3)[0][0] == 413


def test_the_oldest_goes_where_there_are_too_many() -> None:
    memo: Memo[int, int] = Memo()
    for number in range(MAX_ENTRIES + 1):
        memo.keep(number, number)
    assert len(memo) == MAX_ENTRIES
    assert (0 in memo, MAX_ENTRIES in memo) == (False, True)


def test_a_client_that_never_repeats_itself_fills_no_memory() -> None:
    for number in range(3 * MAX_ENTRIES):
        read(GET.replace(b"/v2", b"/v2/%d" % number))
        header = json.dumps(described(name=f"x{number}")).encode()
        decode(memoryview(bytearray(header + bytes(8))), len(header))
    assert (len(reader._HEADS), len(request._KNOWN)) == (MAX_ENTRIES, MAX_ENTRIES)


def described(**changed: object) -> dict[str, Any]:
    """An input of two float32 values in binary."""
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    return {"inputs": [tensor | changed]}


def decoded(document: object, binary: bytes) -> Request:
    header = json.dumps(document).encode()
    return decode(memoryview(bytearray(header + binary)), len(header))


@pytest.mark.parametrize("padding", range(4))
def test_requests_that_describe_the_same_tensors_have_values_of_their_own(padding: int) -> None:
    values = np.arange(8, dtype=np.float32).reshape(4, 1, 2)
    document = {**described(), "parameters": {"timeout": 10**padding}}  # JSON of another length: unaligned tensors
    requests = [decoded(document, each.tobytes()) for each in values]
    assert len({id(found.asked) for found in requests}) == 1
    for found, expected in zip(requests, values, strict=True):
        assert found.shared
        assert found.inputs["x"].flags.aligned
        np.testing.assert_array_equal(found.inputs["x"], expected)


def test_the_same_description_before_other_bytes_is_refused_as_at_first() -> None:
    assert decoded(described(), bytes(8)).shared
    for binary, reason in ((bytes(4), "4 bytes are left"), (bytes(12), "4 bytes follow")):
        with pytest.raises(RequestError, match=reason):
            decoded(described(), binary)


@pytest.mark.parametrize("values", [2, 50_000])
@pytest.mark.parametrize("json_bytes", range(180, 197))
def test_tensors_behind_json_of_any_length_are_views_of_the_body(values: int, json_bytes: int) -> None:
    tensor = {"name": "x", "shape": [1, values], "datatype": "FP64", "parameters": {"binary_data_size": 8 * values}}
    text = json.dumps({"inputs": [tensor]}).encode().ljust(json_bytes)
    head = b"POST / HTTP/1.1\r\nInference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n"
    expected = np.arange(values, dtype=np.float64)
    whole = head % (len(text), len(text) + expected.nbytes) + text + expected.tobytes()
    found: list[Exchange | RequestError] = []
    feed(Reader(Limits(10**7, connections=1), found.append, lambda _: None), *[whole] * 4)
    for item in found[1:]:  # the head of the first was not known yet
        assert isinstance(item, Exchange)
        array = decode(item.body, len(text)).inputs["x"]
        np.testing.assert_array_equal(array[0], expected)
        assert array.flags.aligned
        assert np.shares_memory(array, np.frombuffer(item.body, np.uint8))
    assert len(found) == 4


def test_an_id_is_of_one_request() -> None:
    for number in range(3):
        found = decoded({**described(), "id": str(number)}, bytes(8))
        assert (found.asked.id, found.shared) == (str(number), False)


def test_bytes_that_must_be_looked_at_always_are() -> None:
    document = described(datatype="BOOL", shape=[8])
    assert not decoded(document, bytes(8)).shared
    with pytest.raises(RequestError, match="neither 0 nor 1"):
        decoded(document, bytes([2] * 8))
    document = described(datatype="BYTES", shape=[1])
    for text in (b"abcd", b"efgh"):
        assert decoded(document, len(text).to_bytes(4, "little") + text).inputs["x"].tolist() == [text]


def test_a_response_is_described_as_its_own_outputs_are() -> None:
    asked = Asked(id=None, outputs=None, binary_output=True, timeout_s=0.0)
    encoder = Encoder("m", "1")
    numbers = [np.ones(shape, dtype) for dtype in ("float32", "float64") for shape in ((1, 2), (2, 2), (1, 2))]
    texts = [np.array([text], object) for text in (b"a", b"bcd")]
    for array in [*numbers, *texts, *numbers]:
        status, headers, (text, raw), length = encoder.encode(Request({}, asked, shared=True), {"y": array})
        (tensor,) = json.loads(bytes(text))["outputs"]
        assert status == 200
        assert f"inference-header-content-length: {len(text)}\r\n".encode() in headers
        assert f"content-length: {length}\r\n".encode() in headers
        assert length == len(text) + len(raw)
        assert tensor["shape"] == list(array.shape)
        assert tensor["parameters"]["binary_data_size"] == len(raw)
        assert {"float32": "FP32", "float64": "FP64", "object": "BYTES"}[array.dtype.name] == tensor["datatype"]


FLOATS: dict[str, tuple[str, str]] = {
    "floats": ("[1.5, -2e-3]", "FP32"),
    "integers": ("[1, 20000000000000000000000]", "FP32"),
    "doubles": ("[0.1, 1e300]", "FP64"),
    "nested": ("[[1, 2.5]]", "FP32"),
    "ragged": ("[[1], [2, 3]]", "FP32"),
    "too many": ("[1, 2, 3]", "FP32"),
    "out of range": ("[1, 1e39]", "FP32"),
    "the largest": ("[3.4028235e38, -3.4028235e38]", "FP32"),
    "rounded to the largest": ("[3.4028235677e38, 0]", "FP32"),
    "a word": ('[1, "2"]', "FP32"),
    "a truth": ("[1, true]", "FP32"),
    "nothing": ("[1, null]", "FP32"),
    "whole numbers": ("[1, 2]", "INT64"),
    "no whole number": ("[1, 2.5]", "INT64"),
}


@pytest.mark.parametrize(("data", "datatype"), FLOATS.values(), ids=list(FLOATS))
def test_floats_are_read_quickly_as_they_are_read_slowly(data: str, datatype: str) -> None:
    text = f'{{"inputs": [{{"name": "x", "shape": [1, 2], "datatype": "{datatype}", "data": {data}}}]}}'.encode()
    quick, slow = outcome(memoryview(text), None), outcome(memoryview(text), len(text))
    assert quick == slow


def outcome(body: memoryview, length: int | None) -> object:
    """Values and dtype, or the refusal. A body with a length of its JSON is never read as plain floats."""
    try:
        x = decode(body, length).inputs["x"]
    except RequestError as exc:
        return exc.status, exc.reason
    return x.dtype, x.tolist()
