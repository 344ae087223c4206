"""The servers that `deploy-compare load` is given: reached, understood, and asked once before any load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loadtests import payloads
from loadtests.errors import NotReady, ProtocolError
from loadtests.payloads import Tensors
from pipelines import bench, foreign, made_up
from pipelines.errors import BadInput
from pipelines.sitting import Running
from serving.engines import usage
from serving.engines.contract import Usage
from serving.errors import ServerGone


@dataclass(frozen=True)
class Targets:
    """The servers, and what they are asked."""

    urls: tuple[str, ...]
    protocol: str
    models: tuple[str, ...] = ()
    """One for each URL, one for all, or none: the only one that each lists."""
    pids: tuple[int, ...] = ()
    """The servers' processes here, one for each URL, or none: then their CPU is not known."""
    payloads: Path | None = None
    sizes: tuple[str, ...] = ()
    """`AXIS=SIZE` or `TENSOR:AXIS=SIZE` of dynamic axes, for inputs that are made up."""


def reach(targets: Targets, seed: int) -> tuple[list[Running], str]:
    """The servers with their answers at rest, and where their inputs come from.

    Raises `BadInput` or `LoadTestError` where one cannot be reached, is not ready, or refuses a request.
    """
    urls = [foreign.checked_url(url, targets.protocol) for url in targets.urls]
    _check_counts(targets)
    asked = targets.models * len(urls) if len(targets.models) == 1 else targets.models or (None,) * len(urls)
    models = [_ready_model(url, targets.protocol, model) for url, model in zip(urls, asked, strict=True)]
    inputs, origin = _inputs(targets, urls[0], models[0], seed)
    model = "+".join(dict.fromkeys(models)).replace("/", "-")
    readers: Sequence[Callable[[], Usage | None]] = [partial(_usage, pid) for pid in targets.pids]
    servers = []
    for url, served, name, read in zip(urls, models, _names(urls), readers or [_unseen] * len(urls), strict=True):
        cell = bench.cell(model, name, targets.protocol)
        try:
            servers.append(bench.running(cell, [bench.Standing(url, read)], served, inputs))
        except NotReady:
            raise
        except ProtocolError as exc:
            raise BadInput(f"{url}: model {served!r} refuses the request: {exc}") from exc
    return servers, origin


def _check_counts(targets: Targets) -> None:
    urls = len(targets.urls)
    if len(targets.models) not in {0, 1, urls}:
        raise BadInput(
            f"--model is given {len(targets.models)} times for {urls} URLs: give one for all, or one for each"
        )
    if len(targets.pids) not in {0, urls}:
        raise BadInput(f"--pid is given {len(targets.pids)} times for {urls} URLs: give one for each, in their order")
    for pid in targets.pids:
        if pid <= 0 or usage.of(pid) is None:
            raise BadInput(f"--pid: no process {pid} runs here")


def _ready_model(url: str, protocol: str, asked: str | None) -> str:
    model = foreign.chosen_model(url, protocol, asked)
    foreign.about(protocol).require_ready(url, model)
    return model


def _inputs(targets: Targets, url: str, model: str, seed: int) -> tuple[list[Tensors], str]:
    if targets.payloads is not None:
        if targets.sizes:
            raise BadInput("--dim is for inputs that are made up: leave it out, or --payloads")
        found = payloads.load(targets.payloads)
        return found, f"{len(found)} requests of {targets.payloads}"
    described = foreign.about(targets.protocol).inputs(url, model)
    found = made_up.requests(described, made_up.parse_sizes(targets.sizes), seed)
    shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in found[0].items())
    return found, f"random values, made up from the server's metadata: {shapes}; real ones by --payloads"


def _names(urls: Sequence[str]) -> list[str]:
    """One name for each, also where a server is compared with itself."""
    return [url if urls.index(url) == at else f"{url} ({urls[:at].count(url) + 1})" for at, url in enumerate(urls)]


def _usage(pid: int) -> Usage:
    found = usage.of(pid)
    if found is None:
        raise ServerGone(f"process {pid} has ended")
    return found


def _unseen() -> None:
    return None
