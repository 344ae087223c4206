"""What the server tells about itself and its models: the same documents over HTTP and gRPC, and in Triton's words."""

from __future__ import annotations

from typing import Any

from serving.reference.artifact import Tensor
from serving.reference.datatypes import WIRE
from serving.reference.model import Model
from serving.reference.statistics import Duration

VERSION = "2"
EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]


def server() -> dict[str, Any]:
    return {"name": "deploy-compare-reference", "version": VERSION, "extensions": EXTENSIONS}


def metadata(model: Model, versions: list[Model]) -> dict[str, Any]:
    """Names, datatypes and shapes; a dynamic axis is -1."""
    return {
        "name": model.name,
        "versions": [each.version for each in versions],
        "platform": model.platform,
        "inputs": [_tensor(tensor) for tensor in model.manifest.inputs],
        "outputs": [_tensor(tensor) for tensor in model.manifest.outputs],
    }


def configuration(model: Model) -> dict[str, Any]:
    """Triton's ModelConfig: with batching, `dims` leave the batch axis out, as clients of Triton expect."""
    config = model.config
    latest = config.latest_versions
    document = {
        "name": model.name,
        "platform": model.platform,
        "backend": model.platform.partition("_")[0],
        "version_policy": {"latest": {"num_versions": latest}} if latest else {"all": {}},
        "max_batch_size": config.max_batch_size if model.batches else 0,
        "input": [_configured(tensor, model.batches) for tensor in model.manifest.inputs],
        "output": [_configured(tensor, model.batches) for tensor in model.manifest.outputs],
    }
    policy = {"max_queue_size": config.max_queue_size, "default_timeout_microseconds": config.default_timeout_us}
    document["dynamic_batching"] = {
        "max_queue_delay_microseconds": config.max_queue_delay_us,
        "default_queue_policy": policy,
    }
    return document


def statistics(models: list[Model]) -> dict[str, Any]:
    """Triton's model statistics; what this server does not measure (input, output and cache times) is left out."""
    return {"model_stats": [_statistics(model) for model in models]}


def _statistics(model: Model) -> dict[str, Any]:
    found = model.statistics.counts
    times = {"success": found.success, "fail": found.fail, "queue": found.queue, "compute_infer": found.compute}
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": found.last_inference_ms,
        "inference_count": found.rows,
        "execution_count": sum(batch.count for batch in found.batches.values()),
        "inference_stats": {name: _duration(duration) for name, duration in times.items()},
        "batch_stats": [
            {"batch_size": rows, "compute_infer": _duration(duration)}
            for rows, duration in sorted(found.batches.items())
        ],
    }


def _duration(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": duration.ns}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": WIRE[tensor.dtype], "shape": _sizes(tensor.shape)}


def _configured(tensor: Tensor, batches: bool) -> dict[str, Any]:
    datatype = WIRE[tensor.dtype]
    data_type = "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"
    return {"name": tensor.name, "data_type": data_type, "dims": _sizes(tensor.shape[1:] if batches else tensor.shape)}


def _sizes(shape: tuple[int | str, ...]) -> list[int]:
    return [-1 if isinstance(size, str) else size for size in shape]
