"""`deploy-compare load` drives one real server over every protocol there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loadtests import protocols
from pipelines import results
from pipelines.cli import app
from serving.engines.launch import free_port
from tests.serving import tiny
from tests.serving.conftest import Artifacts, Serve

Urls = tuple[str, str]


@pytest.fixture(scope="module")
def urls(artifacts: Artifacts, serve: Serve) -> Iterator[Urls]:
    """TensorFlow's server over HTTP, and over gRPC: it alone speaks all five."""
    port = free_port()
    with serve(artifacts("savedmodel"), "tensorflow", "--grpc-port", str(port)) as url:
        yield url, f"grpc://127.0.0.1:{port}"


@pytest.mark.parametrize("protocol", protocols.NAMES)
def test_a_load_over_each_protocol_leaves_results(tmp_path: Path, urls: Urls, protocol: str) -> None:
    url = urls[protocol.endswith("grpc")]
    words = [url, "--protocol", protocol, "--rate", "50", "--duration", "1", "--warmup", "1", "--out", str(tmp_path)]
    if protocol.startswith("tfs"):
        words += ["--model", tiny.name("savedmodel")]
    ended = CliRunner().invoke(app, ["load", *words], catch_exceptions=False)
    assert (tmp_path / "latest").exists(), ended.output
    found = results.from_json((tmp_path / "latest" / "results.json").read_text(), "results.json")
    (cell,) = found.cells
    assert cell.status in {"ok", "invalid"}, ended.output
    assert cell.protocol == protocol
    assert (cell.loads[0].requests, cell.loads[0].errors) == (50, 0)
    assert cell.parity[0].passed
