"""What Triton's clients are told of the server and its models, and how they change which are loaded."""

from __future__ import annotations

from typing import Any

from tests.serving.clients.driver import Case, same
from tests.serving.clients.triton_client import GRPC, INVALID, NOT_FOUND, NOT_LOADED, Client, connected, refusal


async def health(case: Case) -> None:
    async with connected(case) as client:
        assert await client("is_server_live") is True
        assert await client("is_server_ready") is True
        assert await client("is_model_ready", case.model) is True
        assert await client("is_model_ready", case.model, "1") is True
        assert await client("is_model_ready", case.model, "2") is False
        assert await client("is_model_ready", "other") is False


async def metadata(case: Case) -> None:
    async with connected(case) as client:
        server = await client.document("get_server_metadata")
        assert (server["name"], server["version"]) == ("deploy-compare-reference", "2")
        assert {"model_repository", "model_configuration", "statistics"} <= set(server["extensions"])
        for version in ("", "1"):
            model = await client.document("get_model_metadata", case.model, version)
            assert (model["name"], model["versions"], model["platform"]) == (case.model, ["1"], case.platform)
            for side, name in (("inputs", "x"), ("outputs", "y")):
                (tensor,) = model[side]
                assert (tensor["name"], tensor["datatype"]) == (name, "FP32")
                assert [int(size) for size in tensor["shape"]] == [-1, 4]
        with refusal(NOT_FOUND, "'other'", case.model):
            await client.document("get_model_metadata", "other")


async def configuration(case: Case) -> None:
    async with connected(case) as client:
        for version in ("", "1"):
            config = await client.document("get_model_config", case.model, version)
            config = config["config"] if GRPC else config
            assert (config["name"], config["platform"]) == (case.model, case.platform)
            assert (config.get("max_batch_size", 0), config["input"][0]["data_type"]) == (0, "TYPE_FP32")
            assert [int(size) for size in config["output"][0]["dims"]] == [-1, 4]
        with refusal(NOT_FOUND, "'other'"):
            await client.document("get_model_config", "other")


async def statistics(case: Case) -> None:
    """As with Triton, rows are counted where requests may be merged, and requests where not."""
    async with connected(case) as client:
        for config, counted in (('{"max_batch_size": 4}', 3), ("{}", 1)):
            await client("load_model", case.model, config=config)
            before = await _statistics(client, case.model)
            await client.infer(case.x(3))
            after = await _statistics(client, case.model, "1")
            assert int(after["inference_count"]) - int(before["inference_count"]) == counted
            assert int(after["execution_count"]) - int(before["execution_count"]) == 1
            assert int(after["last_inference"]) >= int(before["last_inference"])
            assert counted in [int(batch["batch_size"]) for batch in after["batch_stats"]]
            for part in ("success", "queue", "compute_infer"):
                then, now = before["inference_stats"][part], after["inference_stats"][part]
                assert int(now["count"]) - int(then["count"]) == 1
                assert int(now["ns"]) > int(then["ns"])
        everything = await client.document("get_inference_statistics")
        assert case.model in [model["name"] for model in everything["model_stats"]]
        with refusal(NOT_FOUND, "'other'"):
            await client.document("get_inference_statistics", "other")


async def _statistics(client: Client, *asked: str) -> Any:
    (found,) = (await client.document("get_inference_statistics", *asked))["model_stats"]
    assert (found["name"], found["version"]) == (client.model, "1")
    return found


async def repository(case: Case) -> None:
    x = case.x(2)
    async with connected(case) as client:
        (entry,) = [entry for entry in await client.index() if entry["name"] == case.model]
        assert (entry["version"], entry["state"]) == ("1", "READY")

        await client("unload_model", case.model)
        assert await client("is_model_ready", case.model) is False
        assert await client("is_server_ready") is True
        (entry,) = [entry for entry in await client.index() if entry["name"] == case.model]
        assert (entry["state"], entry["reason"]) == ("UNAVAILABLE", "unloaded")
        with refusal(NOT_LOADED, "not loaded"):
            await client.infer(x)

        await client("load_model", case.model, config='{"max_batch_size": 16}')
        found = await client.document("get_model_config", case.model)
        found = found["config"] if GRPC else found
        assert (found["max_batch_size"], [int(size) for size in found["input"][0]["dims"]]) == (16, [4])
        same((await client.infer(x)).as_numpy("y"), 2 * x + 1)

        with refusal(INVALID, "cannot be loaded", "max_batch"):
            await client("load_model", case.model, config='{"max_batch": 16}')
        with refusal(INVALID, "file:"):
            await client("load_model", case.model, config="{}", files={"file:1/model.onnx": b"\0\1"})
        for method in ("load_model", "unload_model"):
            with refusal(NOT_FOUND, "'other'"):
                await client(method, "other")
        assert await client("is_model_ready", case.model) is True  # what was refused changed nothing

        await client("load_model", case.model)
        same((await client.infer(x)).as_numpy("y"), 2 * x + 1)
