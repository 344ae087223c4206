"""curl, and with it TensorFlow Serving's REST API, which has no client: `python -m tests.serving.clients.curl`.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import dataclass
from email.parser import Parser
from typing import Any

import numpy as np

from tests.serving.clients.driver import Array, Case, main, same

LENGTH = "inference-header-content-length"


@dataclass
class Answer:
    """What curl printed."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body[: int(self.headers.get(LENGTH, len(self.body)))])

    @property
    def binary(self) -> bytes:
        return self.body[int(self.headers[LENGTH]) :]


def curl(case: Case, path: str, *options: str, body: bytes = b"") -> Answer:
    """One call; the last of the heads that came, as one may say only 100 or 101."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--dump-header", "/dev/stderr"]
    done = subprocess.run(
        [*command, *options, f"http://{case.http}{path}"], input=body, capture_output=True, check=True
    )
    line, _, rest = done.stderr.decode().strip().split("\r\n\r\n")[-1].partition("\r\n")
    return Answer(int(line.split()[1]), Parser().parsestr(rest, headersonly=True), done.stdout)


def tensor(x: Array, **fields: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": x.shape, **fields}


async def documents(case: Case) -> None:
    about = f"/v2/models/{case.model}"
    assert curl(case, "/v2/health/live").json == {"live": True}
    assert curl(case, "/v2/health/ready").json == {"ready": True}
    assert curl(case, "/v2").json["name"] == "deploy-compare-reference"
    assert curl(case, f"{about}/ready").status == 200
    assert curl(case, f"{about}/versions/1").json["platform"] == case.platform
    assert curl(case, f"{about}/config").json["name"] == case.model
    assert curl(case, f"{about}/stats").json["model_stats"][0]["version"] == "1"
    assert curl(case, "/v2/repository/index", "--request", "POST").json[0]["name"] == case.model
    head = curl(case, about, "--head")
    assert (head.status, head.headers["content-type"]) == (200, "application/json")
    assert f'model="{case.model}"' in curl(case, "/metrics").body.decode()
    missing = curl(case, "/v2/models/other")
    assert (missing.status, list(missing.json)) == (404, ["error"])


async def inference(case: Case) -> None:
    """However curl sends the body: all at once, in chunks, after a 100, over HTTP/1.0, or offering HTTP/2."""
    x = case.x(2)
    body = json.dumps({"id": "7", "inputs": [tensor(x, data=x.tolist())]}).encode()
    for options in (
        (),
        ("--json", "@-"),
        ("--header", "Transfer-Encoding: chunked"),
        ("--header", "Expect: 100-continue"),
        ("--http1.0",),
        ("--http2",),
        ("--compressed",),
    ):
        data = () if "--json" in options else ("--data-binary", "@-")
        answer = curl(case, f"/v2/models/{case.model}/infer", *data, *options, body=body)
        assert (answer.status, answer.json["id"]) == (200, "7"), (options, answer)
        (output,) = answer.json["outputs"]
        assert (output["name"], output["datatype"], output["shape"]) == ("y", "FP32", [2, 4])
        same(np.array(output["data"], np.float32).reshape(2, 4), 2 * x + 1)


async def binary_inference(case: Case) -> None:
    x = case.x(3)
    header = json.dumps(
        {
            "inputs": [tensor(x, parameters={"binary_data_size": x.nbytes})],
            "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
        }
    ).encode()
    length = ("--header", f"{LENGTH}: {len(header)}")
    path = f"/v2/models/{case.model}/versions/1/infer"
    answer = curl(case, path, *length, "--data-binary", "@-", body=header + x.tobytes())
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    same(np.array(struct.unpack("<12f", answer.binary), np.float32).reshape(3, 4), 2 * x + 1)


async def limits(case: Case) -> None:
    x = case.x(10)
    path = f"/v2/models/{case.model}/infer"
    late = json.dumps({"parameters": {"timeout": 20_000}, "inputs": [tensor(x, data=x.tolist())]}).encode()
    refused = curl(case, path, "--data-binary", "@-", body=late)
    assert (refused.status, "20 ms" in refused.json["error"]) == (504, True)
    for options in ((), ("--header", "Expect:"), ("--header", "Transfer-Encoding: chunked")):
        refused = curl(case, path, "--data-binary", "@-", *options, body=bytes(8_000_000))
        assert (refused.status, "100000" in refused.json["error"]) == (413, True)


async def predictions(case: Case) -> None:
    """TensorFlow Serving's, of one output: without its name, in rows or in columns as the request."""
    x = case.x(2)
    expected = (2 * x + 1).tolist()
    for path in (f"/v1/models/{case.model}", f"/v1/models/{case.model}/versions/1"):
        for question, answer in (
            ({"instances": [{"x": row} for row in x.tolist()]}, {"predictions": expected}),
            ({"instances": x.tolist(), "signature_name": "serving_default"}, {"predictions": expected}),
            ({"inputs": {"x": x.tolist()}}, {"outputs": expected}),
            ({"inputs": x.tolist()}, {"outputs": expected}),
        ):
            found = curl(case, f"{path}:predict", "--data-binary", "@-", body=json.dumps(question).encode())
            assert (found.status, found.json) == (200, answer)
    for path, question, status in (
        (f"/v1/models/{case.model}:predict", {"instances": [[1.0]]}, 400),
        (f"/v1/models/{case.model}:predict", {}, 400),
        (f"/v1/models/{case.model}/versions/2:predict", {"instances": x.tolist()}, 404),
        ("/v1/models/other:predict", {"instances": x.tolist()}, 404),
    ):
        found = curl(case, path, "--data-binary", "@-", body=json.dumps(question).encode())
        assert (found.status, list(found.json)) == (status, ["error"])


async def predicted_model(case: Case) -> None:
    """TensorFlow Serving's status and metadata of a model."""
    for path in (f"/v1/models/{case.model}", f"/v1/models/{case.model}/versions/1"):
        (status,) = curl(case, path).json["model_version_status"]
        assert (status["version"], status["state"], status["status"]["error_code"]) == ("1", "AVAILABLE", "OK")
        found = curl(case, f"{path}/metadata").json
        assert (found["model_spec"]["name"], found["model_spec"]["version"]) == (case.model, "1")
        signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
        sizes = [dim["size"] for dim in signature["outputs"]["y"]["tensor_shape"]["dim"]]
        assert sizes == ["-1", "4"]
    assert curl(case, "/v1/models/other").status == 404


async def repository(case: Case) -> None:
    change = f"/v2/repository/models/{case.model}"
    assert curl(case, f"{change}/unload", "--request", "POST").status == 200
    refused = curl(case, f"/v2/models/{case.model}/ready")
    assert (refused.status, refused.headers["retry-after"] is not None) == (503, True)
    assert curl(case, f"{change}/load", "--json", '{"parameters": {"config": "{}"}}').status == 200
    assert curl(case, f"/v2/models/{case.model}/ready").status == 200
    assert curl(case, f"{change}/load").status == 405


if __name__ == "__main__":
    main(
        {
            "tiny": [documents, inference, binary_inference, predictions, predicted_model, repository],
            "slow": [limits],
        }
    )
