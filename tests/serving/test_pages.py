"""What the reference server tells about itself and its models: metadata, configuration, statistics, metrics."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.reference.datatypes import NUMPY
from tests.serving import tiny
from tests.serving.client import Answer, as_json, call, infer, refused
from tests.serving.running import Server, add, running

X = np.ones((3, 4), np.float32)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pages")
    add(tiny.onnx(tmp_path_factory.mktemp("tiny")), folder, "tiny")
    add(tiny.onnx_echo(tmp_path_factory.mktemp("echo")), folder, "echo", "7")
    (folder / "tiny" / "config.json").write_text(
        '{"max_batch_size": 8, "dynamic_batching": {"max_queue_delay_microseconds": 100}}'
    )
    with running(folder, "--max-queue-size", "9") as found:
        yield found


def ask(server: Server, **changed: Any) -> Answer:
    return infer(server.url, "tiny", {"inputs": [{**as_json("x", X), **changed}]})


def samples(server: Server) -> dict[tuple[str, ...], float]:
    """Values by name and labels, as Prometheus reads the exposition."""
    answer = call(server.url, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.body.decode())
    order = ("model", "version", "reason", "le")
    return {
        (each.name, *(each.labels[label] for label in order if label in each.labels)): each.value
        for family in families
        for each in family.samples
    }


@pytest.mark.parametrize("prefix", ["/v2/models/echo", "/v2/models/echo/versions/7"])
def test_metadata_describes_server_and_model(server: Server, prefix: str) -> None:
    assert server.get("/v2")["extensions"] == [
        "binary_tensor_data", "model_repository", "model_configuration", "statistics"
    ]  # fmt: skip
    assert server.get("/v2/health/live") == {"live": True}
    assert server.get("/v2/health/ready") == {"ready": True}
    assert server.get("/v2/models") == {"models": ["echo", "tiny"]}
    assert server.get(f"{prefix}/ready") == {"name": "echo", "ready": True}
    metadata = server.get(prefix)
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == ("echo", ["7"], "onnxruntime_onnx")
    assert {"name": "in_FP32", "datatype": "FP32", "shape": [-1]} in metadata["inputs"]
    assert {"name": "out_BYTES", "datatype": "BYTES", "shape": [-1]} in metadata["outputs"]
    assert len(metadata["outputs"]) == len(NUMPY)


def test_configuration_is_in_tritons_words(server: Server) -> None:
    config = server.get("/v2/models/tiny/config")
    assert (config["name"], config["platform"], config["backend"]) == ("tiny", "onnxruntime_onnx", "onnxruntime")
    assert config["max_batch_size"] == 8
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}]  # without the axis of the batch
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 100
    assert config["dynamic_batching"]["default_queue_policy"]["max_queue_size"] == 9
    assert config["version_policy"] == {"latest": {"num_versions": 1}}
    unbatched = server.get("/v2/models/echo/versions/7/config")
    assert unbatched["max_batch_size"] == 0
    assert {"name": "in_BYTES", "data_type": "TYPE_STRING", "dims": [-1]} in unbatched["input"]


def test_statistics_count_what_was_computed(server: Server) -> None:
    for _ in range(5):
        assert ask(server).status == 200
    assert ask(server, data=[1]).status == 400
    for path in ("/v2/models/tiny/stats", "/v2/models/tiny/versions/1/stats"):
        (found,) = server.get(path)["model_stats"]
        assert (found["name"], found["version"]) == ("tiny", "1")
        assert (found["inference_count"], found["execution_count"]) == (15, 5)
        assert found["last_inference"] > 1_600_000_000_000
        stats = found["inference_stats"]
        assert {name: value["count"] for name, value in stats.items()} == {
            "success": 5, "fail": 0, "queue": 5, "compute_infer": 5
        }  # fmt: skip
        assert stats["success"]["ns"] >= stats["queue"]["ns"] + stats["compute_infer"]["ns"] > 0
        assert [(batch["batch_size"], batch["compute_infer"]["count"]) for batch in found["batch_stats"]] == [(3, 5)]
    assert [found["name"] for found in server.get("/v2/models/stats")["model_stats"]] == ["echo", "tiny"]


def test_metrics_are_prometheus_and_grow_with_requests(server: Server) -> None:
    before = samples(server)
    assert before["requests_total", "tiny", "1"] == before["requests_refused_total", "tiny", "1", "deadline"] == 0
    for _ in range(5):
        assert ask(server).status == 200
    assert infer(server.url, "tiny", {"inputs": [as_json("x", X)], "parameters": {"timeout": 1}}).status == 504
    deadline = time.perf_counter() + 5
    while (after := samples(server))["requests_pending", "tiny", "1"]:  # the one that came too late is still taken off
        assert time.perf_counter() < deadline
    counts = {key[0]: value for key, value in after.items() if key[1:3] == ("tiny", "1") and len(key) == 3}
    assert counts["requests_total"] in (5, 6)  # the one that came too late may have been on its way already
    assert counts["request_errors_total"] == 0
    assert after["requests_refused_total", "tiny", "1", "deadline"] == 1
    assert after["process_resident_memory_bytes",] > 1e6
    for name in ("queue_seconds", "inference_seconds", "batch_rows"):
        buckets = [value for key, value in after.items() if key[:3] == (f"{name}_bucket", "tiny", "1")]
        assert buckets == sorted(buckets)
        assert buckets[-1] == counts[f"{name}_count"] == counts["requests_total"]
        assert counts[f"{name}_sum"] > 0
    assert after["batch_rows_bucket", "tiny", "1", "2.0"] == 0
    assert after["batch_rows_bucket", "tiny", "1", "4.0"] == counts["requests_total"]
    assert counts["batch_rows_sum"] == 3 * counts["requests_total"]


def test_answers_are_as_the_published_description_says(server: Server) -> None:
    document = server.get("/openapi.json")
    rows = json.dumps({"instances": X.tolist()}).encode()
    for name, answer in {
        "InferResponse": ask(server),
        "TfsPrediction": call(server.url, "POST", "/v1/models/tiny:predict", rows),
        "RepositoryIndex": call(server.url, "POST", "/v2/repository/index"),
        "Error": call(server.url, "GET", "/nowhere"),
    }.items():
        jsonschema_rs.validate({"$ref": f"#/components/schemas/{name}", **document}, answer.json)


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"ready": 1}', b'{"ready": null}'])
def test_a_malformed_question_for_the_index_is_refused(server: Server, body: bytes) -> None:
    refused(call(server.url, "POST", "/v2/repository/index", body), 400)
    assert call(server.url, "POST", "/v2/repository/index", b'{"ready": true}').status == 200


@pytest.mark.parametrize("change", ["load", "unload"])
@pytest.mark.parametrize("body", [b"[]", b"{", b'{"parameters": []}', b'{"parameters": {"config": {}}}'])
def test_a_malformed_change_is_refused(server: Server, change: str, body: bytes) -> None:
    refused(call(server.url, "POST", f"/v2/repository/models/tiny/{change}", body), 400)
    assert ask(server).status == 200


def test_the_published_description_names_every_path_and_status(server: Server) -> None:
    document = server.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        (method,) = operations.keys() - {"parameters"}
        exists = path.format(name="echo", version="7")
        answer = call(server.url, method.upper(), exists, b"[]" if method == "post" else None)
        assert answer.status == (400 if method == "post" else 200), exists
        assert str(answer.status) in operations[method]["responses"]
        wrong = call(server.url, "PUT", exists)
        assert (wrong.status, method.upper() in wrong.headers["allow"]) == (405, True)
    text = json.dumps(document)
    assert set(re.findall(r'"#/components/(\w+/\w+)"', text)) == {
        f"{kind}/{name}" for kind, found in document["components"].items() for name in found
    }
