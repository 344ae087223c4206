"""HTTP/1.1 as the reference server speaks it: what well-behaved clients may do, and what it does with the others."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serving import tiny
from tests.serving.client import as_binary, call, infer, refused
from tests.serving.running import Server, add, running
from tests.serving.wire import Wire

MODEL = "tiny"
INFER = f"/v2/models/{MODEL}/infer"
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0, 1, 2, 3]}]}).encode()
LIMIT = 400_000
STALL_S = 0.5


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("http")
    add(tiny.onnx(tmp_path_factory.mktemp("tiny")), folder, MODEL)
    return folder


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    limits = ["--max-body-bytes", LIMIT, "--max-connections", 20, "--stall-s", STALL_S]
    with running(repository, "--access-log", *map(str, limits)) as found:
        yield found


def logged(server: Server, event: str) -> list[dict[str, Any]]:
    """The log's lines of one kind, so far."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def post(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """An inference request as bytes."""
    lines = [f"POST {INFER} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    """A request without a body as bytes."""
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: x", *headers]).encode() + b"\r\n\r\n"


def large(rows: int) -> tuple[bytes, str]:
    """A request of 16 bytes a row, in binary, and the header that says where its tensor begins."""
    x = np.zeros((rows, 4), np.float32)
    header = json.dumps({"inputs": [as_binary("x", x)]}).encode()
    return header + x.tobytes(), f"Inference-Header-Content-Length: {len(header)}"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nowhere", 404, None),
        ("GET", "/v2/models/other", 404, None),
        ("POST", "/v2/models/other/infer", 404, None),
        ("DELETE", "/v2/models/other", 404, None),
        ("GET", f"/v2/models/{MODEL}/versions/2", 404, None),
        ("GET", f"/v2/models/{MODEL}/versions//ready", 404, None),
        ("POST", f"/v2/models/{MODEL}/versions/2/infer", 404, None),
        ("POST", f"/v2/models/{MODEL}/versions//infer", 404, None),
        ("GET", f"/v2/models/{MODEL}/versions", 404, None),
        ("GET", f"/v2/models/{MODEL}/labels", 404, None),
        ("POST", "/v2/repository", 404, None),
        ("GET", f"/v2/models/{MODEL}/infer", 405, "POST"),
        ("HEAD", f"/v2/models/{MODEL}/infer", 405, "POST"),
        ("DELETE", f"/v2/models/{MODEL}", 405, "GET, HEAD"),
        ("POST", "/v2/health/ready", 405, "GET, HEAD"),
        ("OPTIONS", "/metrics", 405, "GET, HEAD"),
        ("GET", "/v2/repository/index", 405, "POST"),
    ],
)
def test_unknown_paths_and_methods(server: Server, method: str, path: str, status: int, allow: str | None) -> None:
    answer = call(server.url, method, path)
    assert answer.headers.get("allow") == allow
    if method == "HEAD":
        assert (answer.status, answer.body) == (status, b"")
    else:
        refused(answer, status)


def test_names_may_be_percent_encoded(server: Server) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in MODEL.encode())
    assert call(server.url, "GET", f"/v2/models/{encoded}").json["name"] == MODEL
    assert call(server.url, "GET", f"/v2%2Fmodels/{MODEL}").status == 404  # a slash in a name does not part a path
    refused(call(server.url, "GET", "/v2/models/gr%C3%BCn%00%FF"), 404, "grün")


def test_a_query_changes_nothing(server: Server) -> None:
    assert call(server.url, "GET", "/v2/health/live?x=/v2/models").json == {"live": True}


def test_head_is_get_without_the_body(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.socket.sendall(get("/v2/health/live").replace(b"GET", b"HEAD", 1))
        answer = wire.answer("HEAD")
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, "13", b"")
        assert wire.ask(get("/v2/health/live")).json == {"live": True}


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    bodies = [json.dumps({**json.loads(BODY), "id": str(number)}).encode() for number in range(20)]
    with Wire(server.url) as wire:
        wire.socket.sendall(b"".join(post(body) + get("/v2/health/live") for body in bodies))
        for number in range(20):
            assert wire.answer().json["id"] == str(number)
            assert wire.answer().json == {"live": True}


def test_many_pipelined_requests_are_no_large_header(server: Server) -> None:
    flood = post(BODY) * 600  # more than one read takes, so that it ends amid a header
    with Wire(server.url) as wire:
        for start in range(0, len(flood), 100_000):
            wire.socket.sendall(flood[start : start + 100_000])
        assert {wire.answer().status for _ in range(600)} == {200}


@pytest.mark.parametrize("rows", [4_000, 4_097, 20_000])  # 64 kB and more are read into memory of their own
def test_large_bodies_arrive_whole_in_pieces_and_before_others(server: Server, rows: int) -> None:
    body, header = large(rows)
    data = post(body, header) + post(BODY) + post(body, header) + get("/v2/health/live")
    with Wire(server.url) as wire:
        for start in range(0, len(data), 50_001):
            wire.socket.sendall(data[start : start + 50_001])
            time.sleep(0.002)
        shapes = [wire.answer().json["outputs"][0]["shape"] for _ in range(3)]
        assert shapes == [[rows, 4], [1, 4], [rows, 4]]
        assert wire.answer().json == {"live": True}


def chunked(*headers: str, trailer: str = "Trailer: x") -> bytes:
    """The inference request in chunks of 7 bytes."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(BODY[i : i + 7]), BODY[i : i + 7]) for i in range(0, len(BODY), 7))
    head = "\r\n".join([f"POST {INFER} HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", *headers])
    return f"{head}\r\n\r\n".encode() + chunks + f"0\r\n{trailer}\r\n\r\n".encode()


def test_a_body_may_come_in_chunks_whose_trailers_change_nothing(server: Server) -> None:
    with Wire(server.url) as wire:
        assert wire.ask(chunked()).status == 200
        assert wire.ask(chunked(trailer="Inference-Header-Content-Length: 5")).status == 200
        assert wire.ask(get("/v2/health/live")).json == {"live": True}


def test_headers_may_be_padded_and_a_target_may_be_a_whole_url(server: Server) -> None:
    with Wire(server.url) as wire:
        assert wire.ask(post(BODY, "Content-Encoding: Identity \t")).status == 200
        for path in "/v2/health/live", "HTTP://host:1/v2/health/live?x=/":
            assert wire.ask(get(path)).json == {"live": True}


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(server: Server) -> None:
    head, _, body = post(BODY, "Expect:  100-Continue ").partition(b"\r\n\r\n")
    with Wire(server.url) as wire:
        wire.socket.sendall(head + b"\r\n\r\n")
        assert wire.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert wire.ask(body).status == 200


def test_a_client_that_asks_before_it_sends_too_much_is_told_not_to(server: Server) -> None:
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT + 1}\r\nExpect: 100-continue\r\n\r\n"
    with Wire(server.url) as wire:
        refused(wire.ask(head.encode()), 413)


def test_http_1_0_closes_even_if_it_is_asked_not_to(server: Server) -> None:
    for headers in [], ["Connection: keep-alive"]:
        with Wire(server.url) as wire:
            answer = wire.ask(get("/v2/health/live", *headers, version="1.0"))
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert wire.rest() == b""


@pytest.mark.parametrize("rows", [0, 20_000])
def test_another_protocol_is_not_taken_up_but_the_request_is_answered(server: Server, rows: int) -> None:
    upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"]
    body, header = large(rows) if rows else (BODY, "X: y")
    request = post(body, header, *upgrade)
    with Wire(server.url) as wire:
        wire.socket.sendall(request[:-5])
        time.sleep(0.02)
        answer = wire.ask(request[-5:])
        assert answer.json["outputs"][0]["shape"] == [rows or 1, 4]
        assert wire.rest() == b""
    for request in chunked(*upgrade), get("/v2/health/live", *upgrade):
        with Wire(server.url) as wire:
            assert wire.ask(request).status == 200
            assert wire.rest() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v2 HTTP/3.0\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /v2 HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET /gr\xc3\xbcn HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_cut_off(server: Server, data: bytes) -> None:
    with Wire(server.url) as wire:
        answer = wire.ask(data)
        refused(answer, 400, "HTTP")
        assert answer.headers["connection"] == "close"


def test_a_refusal_comes_after_the_answers_to_what_was_right(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.socket.sendall(post(BODY) + post(BODY) + b"nonsense\r\n\r\n" + post(BODY))
        assert [wire.answer().status for _ in range(3)] == [200, 200, 400]
        assert wire.rest() == b""


def test_one_refusal_is_all_that_a_connection_gets(server: Server) -> None:
    with Wire(server.url) as wire:
        wire.socket.sendall(post(BODY, "Content-Encoding: gzip") * 3 + b"nonsense\r\n\r\n")
        assert wire.answer().status == 415
        assert wire.rest() == b""


def test_what_is_asked_for_the_last_time_ends_the_connection(server: Server) -> None:
    path = "/v2/health/live"
    last = get(path, "Connection: close")
    with Wire(server.url) as wire:
        wire.socket.sendall(get(path) + last + last + b"nonsense\r\n\r\n")
        assert [wire.answer().status for _ in range(2)] == [200, 200]
        assert wire.rest() == b""


def test_bodies_are_bounded_and_not_compressed(server: Server) -> None:
    refused(call(server.url, "POST", INFER), 400, "not JSON")
    refused(call(server.url, "POST", INFER, bytes(LIMIT + 1)), 413, str(LIMIT))
    refused(call(server.url, "POST", INFER, b"{}", {"Content-Encoding": "gzip"}), 415)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (LIMIT + 1, bytes(LIMIT + 1))
    with Wire(server.url) as wire:
        refused(
            wire.ask(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks), 413
        )


@pytest.mark.parametrize("many", [b"X: %b\r\n" % (b"y" * 600_000), b"X: yyyyyyyyy\r\n" * 50_000])
@pytest.mark.parametrize("trailer", [False, True])
def test_headers_and_trailers_are_bounded(server: Server, many: bytes, trailer: bool) -> None:
    start = get("/v2/health/live")[:-2]
    if trailer:
        start = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".encode()
    with Wire(server.url) as wire:
        refused(wire.ask(start + many), 431)


def test_requests_that_stall_are_given_up(server: Server) -> None:
    started = time.perf_counter()
    begun = [post(BODY)[:20], post(BODY)[:-5], post(bytes(100_000))[:90_000]]
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.url)) for _ in begun]
        for wire, data in zip(wires, begun, strict=True):
            wire.socket.sendall(data)
        for wire in wires:
            refused(wire.answer(), 408)
            assert STALL_S <= time.perf_counter() - started < STALL_S + 1.5  # looked at once a second
        assert all(wire.rest() == b"" for wire in wires)


def test_a_connection_that_waits_between_requests_is_not_stalled(server: Server) -> None:
    with Wire(server.url) as wire:
        assert wire.ask(get("/v2/health/live")).status == 200
        time.sleep(STALL_S + 1.2)
        assert wire.ask(get("/v2/health/live")).status == 200


def test_a_client_that_hangs_or_leaves_does_not_hurt_the_next(server: Server) -> None:
    with Wire(server.url) as hanging, Wire(server.url) as leaving:
        hanging.socket.sendall(post(BODY)[:-5])
        leaving.socket.sendall(post(BODY))
        leaving.socket.close()
        assert infer(server.url, MODEL, json.loads(BODY)).status == 200


def test_a_client_that_reads_nothing_is_read_no_longer_and_then_cut_off(server: Server) -> None:
    body, header = large(20_000)  # 320 kB go in and come out
    with Wire(server.url) as wire, pytest.raises(ConnectionError):
        wire.socket.sendall(post(body, header) * 100)
    assert call(server.url, "GET", "/v2/health/live").status == 200


def test_a_client_that_reads_slowly_gets_all_answers(server: Server) -> None:
    body, header = large(20_000)
    with Wire(server.url) as wire:
        sender = threading.Thread(target=wire.socket.sendall, args=(post(body, header) * 40,))
        sender.start()
        time.sleep(0.3)
        for _ in range(40):
            assert wire.answer().json["outputs"][0]["shape"] == [20_000, 4]
            time.sleep(0.05)
        sender.join()


def test_more_connections_than_allowed_are_told_to_come_back(server: Server) -> None:
    wires = [Wire(server.url) for _ in range(20)]
    try:
        assert {wire.ask(get("/v2/health/live")).status for wire in wires} == {200}
        with Wire(server.url) as one_more:
            answer = one_more.answer()
            refused(answer, 503, "20")
            assert answer.headers["retry-after"] == "1"
        assert wires[0].ask(post(BODY)).status == 200
        time.sleep(STALL_S + 0.1)
        assert wires[0].ask(post(BODY)).status == 200
        with Wire(server.url) as one_more:  # for which one that nobody uses makes room
            assert one_more.ask(get("/v2/health/live")).status == 200
            (closed,), *_ = select.select([wire.socket for wire in wires], [], [], 5)
        assert (closed.recv(1), wires[0].ask(post(BODY)).status) == (b"", 200)
    finally:
        for wire in wires:
            wire.socket.close()
    deadline = time.perf_counter() + 5
    while call(server.url, "GET", "/v2/health/live").status != 200:
        assert time.perf_counter() < deadline


def test_the_access_log_is_a_line_of_json_a_request(server: Server) -> None:
    call(server.url, "GET", "/v2/some/where")
    with Wire(server.url) as wire:
        wire.ask(b"nonsense\r\n\r\n")
    call(server.url, "GET", "/v2/health/live")  # the line is written after the answer
    (line,) = [line for line in logged(server, "request") if line["path"] == "/v2/some/where"]
    assert (line["level"], line["method"], line["status"]) == ("info", "GET", 404)
    assert line["time"].endswith("+00:00")
    assert {(line["method"], line["status"]) for line in logged(server, "request") if not line["path"]} >= {("", 400)}
    metrics = call(server.url, "GET", "/metrics").body.decode()
    assert 'error_responses_total{protocol="http",status="400"}' in metrics


def test_there_is_no_access_log_unless_asked_for(repository: Path) -> None:
    with running(repository) as quiet:
        assert infer(quiet.url, MODEL, json.loads(BODY)).status == 200
        assert logged(quiet, "request") == []
        assert len(logged(quiet, "ready")) == 1
