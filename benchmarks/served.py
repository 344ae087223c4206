"""A server that was started, answers, and answers rightly: only such a server is measured."""

from __future__ import annotations

import http.client
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.errors import NotStarted, WrongAnswer
from benchmarks.models import Model
from benchmarks.peers.contract import Job, Peer
from benchmarks.pinned import Running, running
from benchmarks.wire import Response, send
from serving.engines.launch import HOST, free_port

START_TIMEOUT_S = 120.0
TOLERANCE = 1e-4
"""Of the largest output."""


@contextmanager
def served(peer: Peer, python: Path, model: Model, core: int) -> Iterator[str]:
    """The URL of the peer serving the model on one core; raises `NotStarted`, and `Missing` from the peer."""
    # Directly below the system's folder for temporary files: Ray's sockets have room for about 40 more characters.
    scratch = Path(tempfile.mkdtemp(prefix="dc-"))
    try:
        job = Job(model, python, free_port(), scratch)
        with running(peer.start(job), core, scratch / "benchmark.log") as server:
            url = f"http://{HOST}:{job.port}"
            _wait(server, url, peer, model)
            if astray := server.astray(core):
                raise NotStarted(f"processes that are not pinned to core {core}: {', '.join(astray)}")
            yield url
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check(url: str, peer: Peer, model: Model, form: str) -> None:
    """Ask once, and compare with the runtime in process; raises `WrongAnswer`."""
    try:
        response = send(url, peer.request(model, form))
    except (OSError, http.client.HTTPException) as exc:
        raise WrongAnswer(f"no response: {exc}") from exc
    if response.status != 200:
        raise WrongAnswer(f"status {response.status}: {response.body[:200].decode(errors='replace')}")
    _compare(peer, response, model)


def _compare(peer: Peer, response: Response, model: Model) -> None:
    try:
        found = peer.answer(response)
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        raise WrongAnswer(f"a response that cannot be read: {response.body[:200]!r}") from exc
    expected = model.expected.ravel()
    if found.shape != expected.shape:
        raise WrongAnswer(f"expected {expected.size} values, found {found.size}")
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not error <= TOLERANCE:  # NaN is not
        raise WrongAnswer(f"off by {error:.1e} of the largest output")


def _wait(server: Running, url: str, peer: Peer, model: Model) -> None:
    """Until it answers an inference request with 200; what it says before (404, 503) is not an error yet."""
    deadline = time.perf_counter() + START_TIMEOUT_S
    request = peer.request(model, "binary")
    status = "no response"
    while True:
        try:
            response = send(url, request)
            if response.status == 200:
                return
            status = f"status {response.status}: {response.body[:200].decode(errors='replace')}"
        except (OSError, http.client.HTTPException):
            pass
        if server.ended():
            raise NotStarted(f"the server ended: {server.said()}")
        if time.perf_counter() > deadline:
            raise NotStarted(f"no answer in {START_TIMEOUT_S:g} s ({status}): {server.said()}")
        time.sleep(0.1)
