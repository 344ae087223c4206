"""libtorch: TorchScript, torch.export and AOTInductor files, by the manifest's format. https://docs.pytorch.org/docs

No pickle is ever loaded. TorchScript is read by C++ that knows tensors and plain containers only; a torch.export
archive is looked through before torch reads it (`archive`), because torch would unpickle and evaluate parts of it.
An AOTInductor package is native code: loading one runs what is in the artifact, hence the manifest's hashes.

Copies: none of numeric inputs (a model that writes to its inputs writes to the request's memory), none of outputs but
those that something else may still write to, a buffer of the model or an input handed through.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from serving.reference.artifact import ArtifactError, Manifest
from serving.reference.runtimes import NUMBERS, Arrays
from serving.reference.runtimes.libtorch import compiled, exported, torchscript

DTYPES = NUMBERS

FORMATS: dict[str, Callable[[Path, Manifest], Callable[..., Any]]] = {
    "torchscript": torchscript.load,
    "torchscript_script": torchscript.load,
    "torch_export": exported.load,
    "aot_inductor": compiled.load,
}
"""What reads a format: it returns the model as a function of tensors in the order of the manifest's inputs."""


class LibTorch:
    """A model called positionally in the order of the manifest's inputs."""

    def __init__(self, call: Callable[..., Any], manifest: Manifest, threads: int) -> None:
        import torch

        self._torch = torch
        self._call = call
        self._threads = threads
        self._thread: int | None = None
        self._inputs = [tensor.name for tensor in manifest.inputs]
        self._outputs = {tensor.name: getattr(torch, tensor.dtype) for tensor in manifest.outputs}

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name; raises `ArtifactError` where the model's are not those of the manifest."""
        if self._thread != threading.get_ident():
            # The size of the pool belongs to the calling thread, in OpenMP as in torch.
            self._torch.set_num_threads(self._threads)
            self._thread = threading.get_ident()
        with self._torch.inference_mode():
            tensors = [self._torch.from_numpy(inputs[name]) for name in self._inputs]
            named = self._named(self._call(*tensors))
            # A second tensor of the same memory stays, so that the first is gone where nobody else keeps it.
            for name, tensor in named.items():
                named[name] = tensor.detach()
            tensor = None
            return {name: self._array(name, tensor) for name, tensor in named.items()}

    def _named(self, result: Any) -> dict[str, Any]:
        if isinstance(result, dict):
            if result.keys() != self._outputs.keys():
                raise ArtifactError(f"the manifest names outputs {list(self._outputs)}, the model {list(result)}")
            return {name: result[name] for name in self._outputs}
        tensors = result if isinstance(result, tuple | list) else (result,)
        if len(tensors) != len(self._outputs):
            raise ArtifactError(
                f"the manifest names outputs {list(self._outputs)}, but the model returns {len(tensors)}"
            )
        return dict(zip(self._outputs, tensors, strict=True))

    def _array(self, name: str, tensor: Any) -> np.ndarray[Any, Any]:
        if tensor.dtype is not self._outputs[name]:
            raise ArtifactError(f"output {name!r} should be {self._outputs[name]}, the model returns {tensor.dtype}")
        # One reference is this tensor's, one that of the storage object made to ask; any other is somebody's who may
        # write to it: the model's, of a buffer, or an input's.
        if self._torch._C._storage_Use_Count(tensor.untyped_storage()._cdata) > 2:
            tensor = tensor.clone()
        array: np.ndarray[Any, Any] = tensor.numpy()
        return array


def load(path: Path, manifest: Manifest, threads: int) -> LibTorch:
    """Load a file of one of `FORMATS`; raises `ArtifactError` where it is none, or would need a pickle."""
    import torch

    if manifest.format not in FORMATS:
        raise ArtifactError(f"libtorch does not read format {manifest.format!r}; it reads {', '.join(FORMATS)}")
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:  # can be set only once in a process
        torch.set_num_interop_threads(1)
    with warnings.catch_warnings():
        # torch warns once in a process of memory it may only read, as a request's bytes are.
        warnings.simplefilter("ignore", UserWarning)
        torch.from_numpy(np.frombuffer(b"\0", np.uint8))
    return LibTorch(FORMATS[manifest.format](path, manifest), manifest, threads)


def version() -> str:
    """The library's version."""
    import torch

    return str(torch.__version__)
