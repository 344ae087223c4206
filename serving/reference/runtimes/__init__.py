"""Libraries that execute an artifact: one module each, and its name is the runtime's name everywhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from serving.reference.artifact import ArtifactError, Manifest, Tensor

Arrays = dict[str, np.ndarray[Any, Any]]
"""Arrays by tensor name."""

NAMES = sorted(module.name for module in pkgutil.iter_modules(__path__))


class RuntimeUnavailable(Exception):
    """No such runtime, or its library is not installed here."""


class Runtime(Protocol):
    """A loaded artifact. Not thread-safe: one caller at a time."""

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name, in the manifest's order, of all inputs in the manifest's dtypes and shapes."""


def load(runtime: str, folder: Path, manifest: Manifest, threads: int) -> Runtime:
    """Load the artifact in `folder` on `threads` threads.

    Raises `RuntimeUnavailable` where the runtime is unknown or not installed, `ArtifactError` where the file is not the
    model that the manifest describes, and what the library itself raises on a file that it cannot read.
    """
    try:
        loaded: Runtime = _module(runtime).load(folder / manifest.entry, manifest, threads)
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


def check_names(side: str, tensors: tuple[Tensor, ...], found: Iterable[str]) -> None:
    """Raise `ArtifactError` where a model's own tensor names (`side` is "input" or "output") are not the manifest's."""
    expected, actual = sorted(t.name for t in tensors), sorted(found)
    if expected != actual:
        raise ArtifactError(f"the manifest names {side}s {expected}, but the model has {actual}")
