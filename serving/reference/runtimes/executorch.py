"""ExecuTorch: .pte programs on the kernels and the XNNPACK of its wheel. https://docs.pytorch.org/executorch

A program is a flatbuffer that its loader verifies; there is no pickle in it. It needs torch, whose tensors it takes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from serving.reference.artifact import ArtifactError, Manifest, Tensor
from serving.reference.runtimes import NUMBERS, Arrays, InvalidInput

DTYPES = NUMBERS

METHOD = "forward"

_NUMPY = {
    **dict(enumerate(["uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"])),
    11: "bool",
    27: "uint16",
    28: "uint32",
    29: "uint64",
}
"""NumPy's dtype name by ExecuTorch's ScalarType."""


class ExecuTorch:
    """One method of a program, called positionally in the order of the manifest's inputs.

    Copies: each output once, by the library, out of the planned memory that the next call writes to; of inputs none
    but those that are not contiguous, because their strides would be passed over.
    """

    def __init__(self, torch: Any, program: Any, manifest: Manifest) -> None:
        self._torch = torch
        self._program = program
        self._method = program.load_method(METHOD)
        self._inputs = [tensor.name for tensor in manifest.inputs]
        self._outputs = [tensor.name for tensor in manifest.outputs]
        self._most = list(_most(program.metadata(METHOD), manifest))

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name; raises `InvalidInput` for sizes beyond those that memory was planned for."""
        for name, axis, most in self._most:
            if inputs[name].shape[axis] > most:
                raise InvalidInput(
                    f"input {name!r}: axis {axis} was exported for {most} at most, found {inputs[name].shape[axis]}"
                )
        tensors = [self._torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in self._inputs]
        results = self._method.execute(tensors)
        return {name: tensor.numpy() for name, tensor in zip(self._outputs, results, strict=True)}


def load(path: Path, manifest: Manifest, threads: int) -> ExecuTorch:
    """Load a .pte program; raises `ArtifactError` where it is none, or has other tensors than the manifest.

    The pool of threads is the process's, and the last load's size holds for all programs in it. The library calls the
    setting unsafe, because a program must not be running meanwhile.
    """
    runtime, library, torch = _import()
    library._unsafe_reset_threadpool(threads)
    try:
        program = runtime.load_program(path)
        about = program.metadata(METHOD)
        inputs = [about.input_tensor_meta(index) for index in range(about.num_inputs())]
        outputs = [about.output_tensor_meta(index) for index in range(about.num_outputs())]
    except (RuntimeError, IndexError) as exc:
        raise ArtifactError(f"{path.name}: not an ExecuTorch program that can be loaded here: {exc}") from exc
    _check("input", manifest.inputs, inputs)
    _check("output", manifest.outputs, outputs)
    return ExecuTorch(torch, program, manifest)


def version() -> str:
    """The library's version."""
    _import()
    return metadata.version("executorch")


def _check(side: str, tensors: tuple[Tensor, ...], about: list[Any]) -> None:
    """Names are not in the file, so order, dtypes and ranks are all there is to compare."""
    expected = [f"{tensor.dtype}[{len(tensor.shape)}]" for tensor in tensors]
    found = [f"{_NUMPY.get(one.dtype(), one.dtype())}[{len(one.sizes())}]" for one in about]
    if found != expected:
        raise ArtifactError(f"the manifest's {side}s are {', '.join(expected)}; the model's are {', '.join(found)}")


def _most(about: Any, manifest: Manifest) -> Iterator[tuple[str, int, int]]:
    """Input, axis and largest size of each dynamic axis."""
    for position, tensor in enumerate(manifest.inputs):
        sizes = about.input_tensor_meta(position).sizes()
        yield from ((tensor.name, axis, sizes[axis]) for axis, size in enumerate(tensor.shape) if isinstance(size, str))


def _import() -> tuple[Any, Any, Any]:
    """The runtime, the library below it, which has the setting of threads, and torch."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental, and what its own imports deprecate
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime
    return Runtime.get(), portable_lib, torch
