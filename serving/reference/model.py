"""A served model: an artifact under a name and version, its runtime, and the worker that computes for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from serving.reference import batch, log, runtimes
from serving.reference.artifact import ArtifactError, Manifest, verify
from serving.reference.config import Config
from serving.reference.datatypes import NUMPY, WIRE
from serving.reference.errors import RequestError
from serving.reference.job import Job
from serving.reference.memo import Memo
from serving.reference.request import Asked
from serving.reference.response import Encoder
from serving.reference.runtimes import Arrays, InvalidInput, Runtime
from serving.reference.statistics import Statistics
from serving.reference.validate import Validator
from serving.reference.worker import Worker


class Loaded:
    """An artifact in memory, checked, not served yet. Made on a thread, as loading takes its time."""

    def __init__(self, folder: Path, runtime: str, threads: int) -> None:
        """Raises `ArtifactError`, `RuntimeUnavailable`, or what the library itself raises."""
        self.manifest = verify(folder)
        for tensor in self.manifest.inputs + self.manifest.outputs:
            if tensor.dtype not in WIRE:
                known = ", ".join(NUMPY.values())
                raise ArtifactError(f"tensor {tensor.name!r} has dtype {tensor.dtype!r}; served: {known}")
        name = "null" if self.manifest.format == "null" else runtime  # so that any image can measure its own overhead
        self.runtime: Runtime = runtimes.load(name, folder, self.manifest, threads)
        self.platform = f"{name}_{self.manifest.format}"
        self._warm_up()

    def _warm_up(self) -> None:
        """One inference on zeros, so that a reload shows no client the first call's planning of memory."""
        sizes = [[1 if isinstance(size, str) else size for size in tensor.shape] for tensor in self.manifest.inputs]
        empty = {
            tensor.name: np.full(shape, b"" if tensor.dtype == "object" else 0, tensor.dtype)
            for tensor, shape in zip(self.manifest.inputs, sizes, strict=True)
        }
        try:
            self.runtime.infer(empty)
        except Exception as exc:  # zeros may be no valid input of this model
            log.write("warning", "warm-up failed", model=self.manifest.id, reason=str(exc))


class Model:
    """One version of one model. Its methods are called on the event loop."""

    def __init__(self, name: str, version: str, loaded: Loaded, config: Config, statistics: Statistics) -> None:
        self.name = name
        self.version = version
        self.manifest: Manifest = loaded.manifest
        self.platform = loaded.platform
        self.config = config
        self.statistics = statistics
        self.batches = config.max_batch_size > 0 and batch.has_batch_axis(loaded.manifest)
        """Whether requests are merged; a batch size without a batch axis is not an error, only of no use."""
        self.texts = any(tensor.dtype == "object" for tensor in self.manifest.inputs)
        """Whether an input is BYTES."""
        self.encoder = Encoder(name, version)
        self._accepted: Memo[Asked, bool] = Memo()
        self._validator = Validator(loaded.manifest)
        self._runtime = loaded.runtime
        self._timeout_s = config.default_timeout_us / 1e6
        self._worker = Worker(self._infer, config, statistics)

    @property
    def pending(self) -> int:
        """Requests taken and not yet answered."""
        return self._worker.pending

    def submit(
        self,
        inputs: Arrays,
        outputs: Iterable[str] | None = None,
        timeout_s: float = 0.0,
        shared: Asked | None = None,
    ) -> Job:
        """All outputs, to come; `outputs` are those that were asked for, None is all.

        Requests that share `shared` have the same names, dtypes and shapes: only the first of them is checked.

        The answer may fail with `RequestError` 500 or 504. Raises it at once: 400 for inputs that are not the
        manifest's, 429 where too many wait.
        """
        if shared is None or shared not in self._accepted:
            self._validator.check(inputs, outputs)
            if shared is not None:
                self._accepted.keep(shared, True)
        timeout_s = timeout_s or self._timeout_s
        if not self.batches:
            return self._worker.submit(inputs, 1, None, timeout_s)
        rows = batch.rows(self.manifest, inputs)
        if rows > self.config.max_batch_size:
            raise RequestError(400, f"{rows} rows in a request; max_batch_size is {self.config.max_batch_size}")
        return self._worker.submit(inputs, rows, batch.kind(self.manifest, inputs), timeout_s)

    async def close(self) -> None:
        """Answer what is pending, then let go of the runtime's memory."""
        await self._worker.close()
        del self._runtime

    def _infer(self, inputs: Arrays) -> Arrays:
        try:
            return self._runtime.infer(inputs)
        except InvalidInput as exc:
            raise RequestError(400, str(exc)) from exc
        except Exception as exc:
            reason = str(exc).strip().splitlines() or [type(exc).__name__]
            raise RequestError(500, f"{self.platform} failed: {reason[0]}") from exc
