"""Libraries that execute an artifact: one module each, and its name is the runtime's name everywhere.

A module has `load(path, manifest, threads)`, `version()` and `DTYPES`, the tensors it can take and give.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from serving.reference.artifact import ArtifactError, Manifest, Tensor

Arrays = dict[str, np.ndarray[Any, Any]]
"""Arrays by tensor name. Tensors of bytes (dtype name `object`) are object arrays of `bytes`."""

NUMBERS = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"],
)
"""NumPy names of the numeric dtypes of the Open Inference Protocol."""

NAMES = sorted(module.name for module in pkgutil.iter_modules(__path__))


class RuntimeUnavailable(Exception):
    """No such runtime, or its library is not installed here."""


class InvalidInput(ValueError):
    """Inputs of the right dtypes and shapes whose values the runtime cannot take: the request's fault."""


class Runtime(Protocol):
    """A loaded artifact. Not thread-safe: one caller at a time, though not always the same thread."""

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name, in the manifest's order, of all inputs in the manifest's dtypes and shapes.

        No later call writes to the arrays it returned. Raises `InvalidInput`, or what the library raises.
        """


def load(runtime: str, folder: Path, manifest: Manifest, threads: int) -> Runtime:
    """Load the artifact in `folder` on `threads` threads.

    Raises `RuntimeUnavailable` where the runtime is unknown or not installed, `ArtifactError` where the file is not the
    model that the manifest describes or has a dtype that the runtime lacks, and what the library itself raises on a
    file that it cannot read.
    """
    try:
        module = _module(runtime)
        _check_dtypes(runtime, module.DTYPES, manifest)
        loaded: Runtime = module.load(folder / manifest.entry, manifest, threads)
    except ImportError as exc:
        raise RuntimeUnavailable(f"runtime {runtime!r} cannot be imported: {exc}") from exc
    return loaded


def version(runtime: str) -> str:
    """Version of the runtime's library; raises `RuntimeUnavailable`. Image builds call it to see that it imports."""
    try:
        found: str = _module(runtime).version()
    except ImportError as exc:
        raise RuntimeUnavailable(f"runtime {runtime!r} cannot be imported: {exc}") from exc
    return found


def _module(runtime: str) -> ModuleType:
    if runtime not in NAMES:
        raise RuntimeUnavailable(f"unknown runtime {runtime!r}; known: {', '.join(NAMES)}")
    return importlib.import_module(f"{__name__}.{runtime}")


def _check_dtypes(runtime: str, known: frozenset[str], manifest: Manifest) -> None:
    for tensor in manifest.inputs + manifest.outputs:
        if tensor.dtype not in known:
            raise ArtifactError(
                f"tensor {tensor.name!r} has dtype {tensor.dtype!r}; {runtime} has {', '.join(sorted(known))}"
            )


def check_tensors(side: str, tensors: tuple[Tensor, ...], found: Mapping[str, str]) -> None:
    """Raise `ArtifactError` where a model's own tensors are not the manifest's.

    `side` is "input" or "output"; `found` has NumPy dtype names by tensor name, or the library's own name of a dtype
    that NumPy lacks. A wrong dtype must not wait for the first request: some libraries would reinterpret the bytes.
    """
    expected, actual = sorted(tensor.name for tensor in tensors), sorted(found)
    if expected != actual:
        raise ArtifactError(f"the manifest names {side}s {expected}, but the model has {actual}")
    for tensor in tensors:
        if found[tensor.name] != tensor.dtype:
            raise ArtifactError(
                f"the manifest gives {side} {tensor.name!r} dtype {tensor.dtype}, "
                f"but the model has {found[tensor.name]}"
            )
