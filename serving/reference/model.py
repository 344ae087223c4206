"""A served model: its manifest, its runtime, and the one thread on which it computes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from serving.reference import runtimes
from serving.reference.artifact import ArtifactError, Manifest, Tensor, verify
from serving.reference.datatypes import NUMPY, WIRE
from serving.reference.errors import RequestError
from serving.reference.request import decode
from serving.reference.response import Headers, encode
from serving.reference.runtimes import Arrays, Runtime
from serving.reference.validate import check_inputs, check_outputs

VERSION = "1"


class Model:
    """One artifact under its manifest's id. `answer` runs on `worker`, which the event loop awaits."""

    def __init__(self, manifest: Manifest, runtime: Runtime, platform: str) -> None:
        self.manifest = manifest
        self.name = manifest.id
        self.platform = platform
        self.worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._runtime = runtime

    def metadata(self) -> dict[str, Any]:
        """What `GET /v2/models/{name}` answers; a dynamic axis is -1."""
        return {
            "name": self.name,
            "versions": [VERSION],
            "platform": self.platform,
            "inputs": [_describe(tensor) for tensor in self.manifest.inputs],
            "outputs": [_describe(tensor) for tensor in self.manifest.outputs],
        }

    def answer(self, body: bytearray, header_length: int | None) -> tuple[Headers, bytes]:
        """Headers and body of the response to one inference request; raises `RequestError`."""
        request = decode(body, header_length)
        check_inputs(self.manifest, request.inputs)
        check_outputs(self.manifest, request.outputs)
        return encode(self.name, VERSION, request, self.infer(request.inputs))

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name; raises `RequestError` (500) where the runtime fails on inputs that the manifest allows."""
        try:
            return self._runtime.infer(inputs)
        except Exception as exc:
            reason = str(exc).strip().splitlines() or [type(exc).__name__]
            raise RequestError(500, f"{self.platform} failed: {reason[0]}") from exc


def load(folder: Path, runtime: str, threads: int) -> Model:
    """Check the artifact's hashes and load it; raises `ArtifactError`, `RuntimeUnavailable`, or the library's own."""
    manifest = verify(folder)
    for tensor in manifest.inputs + manifest.outputs:
        if tensor.dtype not in WIRE:
            raise ArtifactError(
                f"tensor {tensor.name!r} has dtype {tensor.dtype!r}; served: {', '.join(NUMPY.values())}"
            )
    return Model(manifest, runtimes.load(runtime, folder, manifest, threads), f"{runtime}_{manifest.format}")


def _describe(tensor: Tensor) -> dict[str, Any]:
    shape = [-1 if isinstance(size, str) else size for size in tensor.shape]
    return {"name": tensor.name, "datatype": WIRE[tensor.dtype], "shape": shape}
