"""`deploy-compare load` against servers it did not start: what they tell, what it refuses, what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from loadtests import gates, payloads
from pipelines import burner, load_options, made_up, results
from pipelines.cli import app
from pipelines.environment import usable_cpus
from pipelines.errors import BadInput
from pipelines.foreign.contract import Input
from serving.engines.launch import free_port
from tests.loadtests.joining import by_hand

Pages = dict[str, tuple[int, Any]]
TWO_MODELS: Pages = {
    "/v2/models": (200, {"models": ["m", "n"]}),
    "/v2/models/m/ready": (200, {}),
    "/v2/models/m": (200, {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]}),
    "/v2/models/n/ready": (503, {"error": "still loading"}),
}


@contextmanager
def serving(pages: Pages) -> Iterator[str]:
    """A server of these pages; it refuses every POST in its own words."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(*pages.get(self.path, (404, {"error": f"no {self.path} here"})))

        def do_POST(self) -> None:
            self._answer(400, {"error": "unknown input 'x'; expected: tokens"})

        def _answer(self, status: int, page: Any) -> None:
            body = json.dumps(page).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("burner") / "burner.log"
    with burner.running(1000, tuple(usable_cpus()[-1:]), log) as server:
        yield server.url


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["load", *words], catch_exceptions=False)


def refused(*words: str) -> str:
    result = call(*words)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return str(line)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://127.0.0.1:1"], "Connection refused"),
        (["ftp://127.0.0.1:1"], "oip-http is spoken at http://HOST:PORT"),
        (["grpc://127.0.0.1:1"], "over grpc there are oip-grpc, tfs-grpc"),
        (["http://127.0.0.1:x"], "expected http://HOST:PORT"),
        (["http://127.0.0.1:1/v2"], "and no more"),
        (["http://127.0.0.1:1", "--protocol", "soap"], "unknown protocol 'soap'; known: oip-grpc"),
        (["http://127.0.0.1:1", "--rate", "5", "--users", "3"], "choose one"),
        (["http://127.0.0.1:1", "--rate", "-5"], "greater than 0 (found -5.0)"),
        (["http://127.0.0.1:1", "--poisson"], "of --rate"),
        (["http://127.0.0.1:1", "--ramp", "5"], "--ramp: expected FROM_RPS:TO_RPS, found '5'"),
        (["http://127.0.0.1:1", "--duration", "4000"], "at most 3600 seconds"),
        (["http://127.0.0.1:1", "--rounds", "1000", "--block", "60"], "more than the 3600 s"),
        (["http://127.0.0.1:1", "--budget", "9", "--rounds", "3"], "leave out"),
        (["http://127.0.0.1:1", "--capacity"], "needs an SLO"),
        (["http://127.0.0.1:1", "--slo-p99-ms", "5"], "add --capacity"),
        (["http://127.0.0.1:1", "--users", "0"], "error: --users: input should be greater than 0 (found 0)"),
        (["http://127.0.0.1:1", "--max-error-rate", "0"], "add --capacity"),
        (["http://127.0.0.1:1", "--replay", "nowhere.csv"], "nowhere.csv: cannot be read as a CSV of instants"),
        (["http://a..b:80"], "expected http://HOST:PORT"),
        (["http://a b:80"], "expected http://HOST:PORT, without spaces"),
        (["http://:secret@127.0.0.1:1"], "error: expected http://HOST:PORT, and no user or password in it"),
        (
            ["http://127.0.0.1:1", "--remote-workers", "99"],
            "--remote-workers: input should be less than or equal to 64",
        ),
        (["http://127.0.0.1:1", "--listen", "here"], "--listen: string should match pattern"),
        (["http://127.0.0.1:1", "--pid", "1", "--pid", "1"], "--pid is given 2 times for 1 URLs"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path: Path, words: list[str], said: str) -> None:
    assert said in refused(*words, "--out", str(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "has several models: choose one by --model: m, n"),
        (["--model", "gpt"], "has no model 'gpt'; it lists: m, n"),
        (["--model", "n"], "model 'n' is not ready: status 503: still loading"),
        (["--model", "m"], "model 'm' refuses the request: status 400: unknown input 'x'; expected: tokens"),
        (["--model", "m", "--dim", "1=8"], "1 is no dynamic axis of this model; those are: x:0"),
        (["--model", "m", "--protocol", "tfs-rest"], "/v1/models/m: status 404: no /v1/models/m here"),
        (["--protocol", "tfs-rest"], "lists no models over tfs-rest: name one by --model"),
        (["--model", "m", "--payloads", "nowhere.npz"], "expected an .npz of tensors"),
    ],
)
def test_a_server_that_refuses_is_quoted(tmp_path: Path, words: list[str], said: str) -> None:
    with serving(TWO_MODELS) as url:
        assert said in refused(url, *words, "--out", str(tmp_path / "runs"))


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ({"/v2/models": (200, {"models": ["m\x85\u2028x"]})}, "is no name of a model"),
        ({"/v2/models": (200, {"models": ["m" * 300]})}, "is no name of a model"),
        ({"/v2/models": (200, {"models": ["m\ud800"]})}, "is no name of a model"),
        ({**TWO_MODELS, "/v2/models/m": (200, {"inputs": []})}, "the server says that the model has no inputs"),
        (
            {**TWO_MODELS, "/v2/models/m": (200, {"inputs": [{"name": "x", "datatype": ["FP32"], "shape": [1]}]})},
            "for which nothing can be made up",
        ),
    ],
)
def test_a_server_that_says_nonsense_of_itself_is_refused(tmp_path: Path, pages: Pages, said: str) -> None:
    words = ["--model", "m"] if len(pages) > 1 else []
    with serving(pages) as url:
        assert said in refused(url, *words, "--out", str(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_no_errors_at_all_may_be_asked_for() -> None:
    [asked] = load_options.Slo(search=True, p99_ms=5.0, max_error_rate=0.0).fields()
    assert asked == {"slo": {"p99_ms": 5.0, "max_error_rate": 0.0}}


def test_a_server_of_something_else_is_told_by_its_answer(tmp_path: Path) -> None:
    with serving({}) as url:
        assert "lists no models over oip-http" in refused(url, "--out", str(tmp_path))
        assert "model 'm' is not ready: status 404: no /v2/models/m/ready here" in refused(url, "--model", "m")


def test_a_load_leaves_results_and_a_report(tmp_path: Path, echo: str) -> None:
    result = call(echo, "--rate", "60", "--duration", "1", "--warmup", "1", "--out", str(tmp_path))
    assert "requests/s" in result.stdout
    assert "random values, made up from the server's metadata: x float32[1, 8]" in result.stdout
    run = tmp_path / "latest"
    (cell,) = results.from_json((run / "results.json").read_text(), "results.json").cells
    assert (cell.engine, cell.server, cell.framework, cell.model) == ("external", echo, "-", "burner")
    assert result.exit_code == (0 if cell.status == "ok" else 1)
    assert cell.status in {"ok", "invalid"}
    assert cell.loads[0].requests == 60
    assert cell.loads[0].cpu_ms_per_request is None
    assert cell.loads[0].blocks[0].machine.processes_gone is None  # no --pid: nobody looked
    assert "processes_gone" not in {gate.name for gate in cell.loads[0].gates}
    assert (run / "report.html").stat().st_size > 1_000_000


@contextmanager
def busy(cpu: int) -> Iterator[None]:
    """A program that takes what it gets of that core."""
    loop = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        os.sched_setaffinity(loop.pid, {cpu})
        assert loop.stdout
        loop.stdout.readline()
        yield
    finally:
        loop.kill()
        loop.communicate()


def test_a_generator_starved_of_its_core_ends_invalid_with_the_gate_and_its_remedy(tmp_path: Path, echo: str) -> None:
    with busy(usable_cpus()[0]):  # the generator's, where it is not told by --pid what the server's are
        result = call(echo, "--rate", "60", "--duration", "1", "--warmup", "1", "--out", str(tmp_path))
    found = results.from_json((tmp_path / "latest" / "results.json").read_text(), "results.json")
    (cell,) = found.cells
    assert (cell.status, result.exit_code) == ("invalid", 1)
    failed = {gate.name for gate in cell.loads[0].gates if not gate.passed}
    said = failed & {"others_generator_cores", "lag"}
    assert said
    assert "INVALID" in result.stdout
    assert all(f"gate {name} saw" in result.stdout and gates.REMEDIES[name] in result.stdout for name in said)


def test_a_worker_of_another_host_sends_its_part(tmp_path: Path, echo: str) -> None:
    listen = f"127.0.0.1:{free_port()}"
    words = ["--rate", "60", "--duration", "1", "--warmup", "1", "--remote-workers", "1", "--listen", listen]
    with by_hand(listen, usable_cpus()[0], tmp_path / "worker.log"):
        result = call(echo, *words, "--out", str(tmp_path / "runs"))
    assert f"deploy-compare worker {listen}" in result.stdout
    found = results.from_json((tmp_path / "runs" / "latest" / "results.json").read_text(), "results.json")
    (load,) = found.cells[0].loads
    assert (load.requests, load.errors) == (60, 0)
    assert "joined" in result.stdout


def test_two_urls_are_measured_in_turn_with_the_same_requests(tmp_path: Path, echo: str) -> None:
    requests = tmp_path / "mine.npz"
    payloads.save(requests, [{"x": np.full((1, 8), value, np.float32)} for value in range(3)])
    words = ["--payloads", str(requests), "--rounds", "2", "--block", "0.5", "--warmup", "1"]
    call(echo, echo, *words, "--out", str(tmp_path / "runs"))
    found = results.from_json((tmp_path / "runs" / "latest" / "results.json").read_text(), "results.json")
    assert [cell.server for cell in found.cells] == [echo, f"{echo} (2)"]
    assert [len(cell.loads[0].blocks) for cell in found.cells] == [2, 2]
    assert all(cell.parity[0].passed for cell in found.cells)


def test_lengths_become_rounds_of_blocks() -> None:
    def fields(servers: int = 1, steady: bool = True, **asked: Any) -> tuple[int | None, float]:
        made = load_options.Length(**asked).fields(servers, steady)
        return made["rounds"], made["block_s"]

    assert fields() == (5, 2.0)
    assert fields(duration=1.0) == (1, 1.0)
    assert fields(duration=9.0, rounds=3) == (3, 3.0)
    assert fields(duration=5.0) == (3, 5.0 / 3)
    assert fields(steady=False) == (1, 10.0)
    assert fields(servers=2) == (None, 2.0)
    assert fields(budget=30.0) == (None, 2.0)


def test_inputs_are_made_up_by_name_datatype_and_shape() -> None:
    inputs = (Input("ids", "INT64", (-1, -1)), Input("image", "FP32", (-1, 3)))
    sizes = made_up.parse_sizes(["0=2", "ids:1=5"])
    first, *others = made_up.requests(inputs, sizes, seed=1)
    assert (first["ids"].shape, str(first["ids"].dtype)) == ((2, 5), "int64")
    assert (first["image"].shape, str(first["image"].dtype)) == ((2, 3), "float32")
    assert set(np.unique(first["ids"])) <= {0, 1}
    assert not np.array_equal(first["image"], others[0]["image"])
    np.testing.assert_array_equal(first["image"], made_up.requests(inputs, sizes, seed=1)[0]["image"])


@pytest.mark.parametrize(
    ("tensor", "sizes", "said"),
    [
        (Input("text", "BYTES", (1,)), {}, "give requests by --payloads"),
        (Input("x", "FP32", (-1, -1)), {"0": 10**6, "1": 10**6}, "too large"),
    ],
)
def test_what_cannot_be_made_up_is_refused(tensor: Input, sizes: dict[str, int], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        made_up.requests([tensor], sizes, seed=1)


@pytest.mark.parametrize("word", ["x", "x=3", "1=", "x:1=0", "x:a=2"])
def test_a_size_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="expected AXIS=SIZE or TENSOR:AXIS=SIZE"):
        made_up.parse_sizes([word])
