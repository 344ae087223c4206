"""Options of the command line that make no sense, and what the system must allow, are told before anything begins."""

from __future__ import annotations

import resource
import sys

import pytest

from serving.reference import __main__ as command


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "70000"], "--port: must be from 0 to 65535, found 70000"),
        (["--grpc-port", "8000"], "--port and --grpc-port must differ"),
        (["--grpc-port", "-1"], "--grpc-port: must be from 0"),
        (["--threads", "0"], "--threads: must be from 1"),
        (["--threads", "many"], "--threads: invalid int value: 'many'"),
        (["--max-body-bytes", "-1"], "--max-body-bytes: must be from 1"),
        (["--max-body-bytes", "99999999999"], "--max-body-bytes: must be from 1 to 2147483647"),
        (["--max-connections", "0"], "--max-connections: must be from 1"),
        (["--max-queue-size", "0"], "--max-queue-size: must be from 1"),
        (["--timeout-ms", "-1"], "--timeout-ms: must be from 0"),
        (["--drain-s", "nan"], "--drain-s: must be from 0 to 1000000, found nan"),
        (["--stall-s", "inf"], "--stall-s: must be from 0.01"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(
    options: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--runtime", "null", "--artifact", "x", "--port", "8000", *options]
    monkeypatch.setattr(sys, "argv", ["server", *given])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [(1024, 4096, (1280, 4096)), (1024, -1, (1280, -1)), (1280, 1280, None), (-1, -1, None), (4096, 4096, None)],
)
def test_so_many_files_may_be_open_as_connections_are_allowed(
    soft: int, hard: int, raised: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    command._allow_files(1024)
    assert asked == ([raised] if raised else [])


def test_more_connections_than_the_system_allows_end_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    with pytest.raises(OSError, match="--max-connections 1024 needs 1280 open files, and the system allows 1024"):
        command._allow_files(1024)
