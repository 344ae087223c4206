"""One server asked over each protocol it speaks: ready, right, driven, and right under load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from loadtests import payloads, responses
from loadtests.block import Block, Open
from loadtests.launch import Generator
from models.cases import Case
from pipelines import served
from pipelines.parity import compare, worst
from serving import catalog
from serving.engines.contract import Budget
from serving.engines.process import Process
from tests.serving import tiny
from tests.serving.conftest import ROOT, Artifacts, artifacts

CPUS = sorted(os.sched_getaffinity(0))
BUDGET = Budget(cpus=(CPUS[-1],), memory_bytes=2 * 2**30, pids=128)

__all__ = ["artifacts"]


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    with Generator(tuple(CPUS[:1]), tmp_path_factory.mktemp("generator") / "log") as found:
        yield found


@pytest.mark.parametrize(
    ("name", "form", "protocol"),
    [
        *[("reference-onnx", "onnx", protocol) for protocol in catalog.load("reference-onnx").protocols],
        pytest.param("reference-tensorflow", "savedmodel", "tfs-grpc", marks=pytest.mark.slow),
    ],
)
def test_a_server_is_right_at_rest_and_under_load(
    name: str, form: str, protocol: str, artifacts: Artifacts, generator: Generator, tmp_path: Path
) -> None:
    inputs = np.random.default_rng(0).random((16, 1, 4), dtype=np.float32)
    cases = [Case({"x": x}, {"y": 2 * x + 1}) for x in inputs]
    payloads.save(tmp_path / "payloads.npz", [case.inputs for case in cases])
    probe = served.probe(protocol, tiny.name(form), cases[0], tolerance=1e-6)
    engine = Process(ROOT / ".cache", tmp_path)
    with engine.deploy(catalog.load(name), artifacts(form), BUDGET, probe, protocol) as deployment:
        assert served.parity(served.asker(protocol, deployment.url, tiny.name(form)), cases, 1e-6).passed
        block = Block(
            url=deployment.url,
            protocol=protocol,
            model=tiny.name(form),
            payloads=str(tmp_path / "payloads.npz"),
            arrivals=Open(50),
            duration_s=1.0,
            seed=7,
            samples=str(tmp_path / "samples.parquet"),
            responses=str(tmp_path / "responses.npz"),
            keep_responses=20,
        )
        result = generator.run(block)
    assert (result.requests, result.errors) == (50, 0), result.error_kinds
    read = partial(served.read, protocol)
    pairs = [(each.outputs, cases[each.payload].outputs) for each in responses.load(str(result.responses))]
    assert len(pairs) == 20
    assert worst([compare(read(outputs, expected), expected, 1e-6) for outputs, expected in pairs]).passed
