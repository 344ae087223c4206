"""Bad gRPC messages by the thousand: none is an internal or unknown error, none hangs, none leaves memory behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from serving.engines.launch import free_port
from serving.reference.datatypes import NUMPY
from serving.reference.protos import oip_pb2 as oip
from tests.serving import echo
from tests.serving.fuzzing import EFFORT, MODEL, tries
from tests.serving.grpc_client import METHODS, Client, connected, request
from tests.serving.running import Server, add, running

pytestmark = pytest.mark.slow

HANG_S = 5.0
MIB = 1024 * 1024
GROWTH_BYTES = 5 * MIB
ARRAYS = {f"in_{dtype}": echo.sample(dtype) for dtype in NUMPY.values()}
TEXTS = [
    "",
    "x",
    MODEL,
    "1",
    "in_float32",
    "in_int8",
    "out_int8",
    "FP16",
    "FP32",
    "INT8",
    "BYTES",
    "timeout",
    "ü" * 4000,
]
NUMBERS = [0, 1, 3, 4, 127, 255, 65535, 2**31 - 1, -1, -3, -(2**31), 2**62, 2**63 - 1, -(2**63)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Client]]:
    """A server of `echo`, which nothing may make fail, and its client."""
    folder = tmp_path_factory.mktemp("fuzz")
    add(echo.make("onnx", tmp_path_factory.mktemp("echo"), tuple(NUMPY.values())), folder, MODEL)
    port = free_port()
    with running(folder, "--grpc-port", str(port), "--max-body-bytes", "1000000") as server, connected(port) as client:
        yield server, client
        assert len(client.infer(right()).outputs) == len(NUMPY)
        assert "internal error" not in server.log.read_text()


def right() -> oip.ModelInferRequest:
    return request(MODEL, ARRAYS)


def spoil(random: Random, message: Message) -> None:
    """Change, remove or add one field somewhere in a message."""
    field: Any = random.choice(list(message.DESCRIPTOR.fields))
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        entry = value[random.choice(TEXTS)]
        spoil(random, entry)
    elif random.random() < 0.1:
        message.ClearField(field.name)
    elif field.message_type is not None:
        below = (
            (random.choice(value) if len(value) and random.random() < 0.8 else value.add())
            if field.is_repeated
            else value
        )
        spoil(random, below)
    elif not field.is_repeated:
        setattr(message, field.name, _scalar(random, field))
    elif len(value) and random.random() < 0.8:
        value[random.randrange(len(value))] = _scalar(random, field)
    else:
        value.extend([_scalar(random, field)] * random.choice([1, 3, 100]))


def _scalar(random: Random, field: Any) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        text = random.choice(TEXTS)
        return text.encode() if field.type == field.TYPE_BYTES else text
    if kind == field.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return random.choice([0.0, -1.5, float("nan"), float("inf")])
    bits = 32 if kind in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 64
    signed = kind in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return min(max(random.choice(NUMBERS), low), high)


def spoiled_message(random: Random) -> bytes:
    """A right request of all datatypes, spoiled in one to three fields, or in its bytes."""
    message = right()
    if random.random() < 0.5:
        del message.raw_input_contents[:]  # then values are looked for in the contents
    for _ in range(random.randint(1, 3)):
        spoil(random, message)
    raw = message.SerializeToString()
    if random.random() < 0.3:
        at = random.randrange(len(raw) + 1)
        raw = raw[:at] + random.randbytes(random.randrange(8)) + raw[at + random.choice([0, 1, 4, 100]) :]
    return raw


def ask(client: Client, method: str, raw: bytes) -> str:
    """The name of the status, which is not one of the server's own failures."""
    call = client.send(method, raw, HANG_S)
    code: grpc.StatusCode = call.code()
    wrong = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert code not in wrong or "deadline of" in call.details(), call.details()  # one that the request itself brings
    return code.name


def test_a_spoiled_message_gets_a_clear_refusal_or_an_answer(served: tuple[Server, Client]) -> None:
    seen: Counter[str] = Counter()

    @tries(2000)
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        seen[ask(served[1], "ModelInfer", spoiled_message(random))] += 1

    check()
    assert seen["INVALID_ARGUMENT"] > 0.4 * seen.total(), seen


def test_garbage_in_any_method_is_refused(served: tuple[Server, Client]) -> None:
    @tries(1000)
    @given(st.sampled_from(sorted(METHODS)), st.binary(max_size=60))
    def check(method: str, raw: bytes) -> None:
        ask(served[1], method, raw)

    check()


def test_ten_thousand_bad_messages_leave_no_memory_behind(served: tuple[Server, Client]) -> None:
    server, client = served
    random = Random(0)

    def rss_after(messages: int) -> int:
        for number in range(messages):
            if number % 50 == 0:  # one whose client leaves
                client.begin(right()).cancel()
            ask(client, "ModelInfer", spoiled_message(random))
        return int(server.process.memory_info().rss)

    before = rss_after(2_000)
    after = rss_after(10_000 * EFFORT)
    print(f"{before / MIB:.1f} MiB before, {(after - before) / MIB:+.2f} MiB")
    assert after - before < GROWTH_BYTES
