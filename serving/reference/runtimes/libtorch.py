"""libtorch: TorchScript files. https://docs.pytorch.org/docs/stable/generated/torch.jit.load.html"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from serving.reference.artifact import ArtifactError, Manifest
from serving.reference.runtimes import Arrays


class LibTorch:
    """A scripted or traced module, called positionally in the order of the manifest's inputs."""

    def __init__(self, module: Any, manifest: Manifest) -> None:
        import torch

        self._torch = torch
        self._module = module
        self._inputs = [tensor.name for tensor in manifest.inputs]
        self._outputs = [tensor.name for tensor in manifest.outputs]

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name; raises `ArtifactError` where the module returns another number of tensors."""
        with self._torch.inference_mode():
            result = self._module(*[self._torch.from_numpy(inputs[name]) for name in self._inputs])
        if isinstance(result, dict):
            return {name: result[name].numpy() for name in self._outputs}
        tensors = result if isinstance(result, tuple | list) else (result,)
        if len(tensors) != len(self._outputs):
            raise ArtifactError(f"the manifest names outputs {self._outputs}, but the model returns {len(tensors)}")
        return {name: tensor.numpy() for name, tensor in zip(self._outputs, tensors, strict=True)}


def load(path: Path, manifest: Manifest, threads: int) -> LibTorch:
    """Load a TorchScript file (no pickle is run by `torch.jit.load`)."""
    import torch

    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:  # can be set only once in a process
        torch.set_num_interop_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated, yet it is what is measured here
        module = torch.jit.load(str(path), map_location="cpu")
    return LibTorch(module.eval(), manifest)


def version() -> str:
    """The library's version."""
    import torch

    return str(torch.__version__)
