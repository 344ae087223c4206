"""The null runtime: constants at no cost, so that what a server adds to any runtime can be measured by itself."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serving.reference import artifact
from serving.reference.artifact import ArtifactError, Manifest, Tensor
from serving.reference.runtimes import NUMBERS, Arrays

DTYPES = NUMBERS | {"object"}

FORMAT, ENTRY = "null", "constants.npz"
CACHED_SIZES = 64


class Null:
    """Outputs by the sizes of the dynamic axes, made once for each; read-only arrays, and no copies."""

    def __init__(self, manifest: Manifest, constants: Arrays) -> None:
        self._outputs = manifest.outputs
        self._constants = constants
        self._axes = {
            axis: (tensor.name, index)
            for tensor in manifest.inputs
            for index, axis in enumerate(tensor.shape)
            if isinstance(axis, str)
        }
        self._made: dict[tuple[int, ...], Arrays] = {}

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""
        sizes = tuple([inputs[name].shape[index] for name, index in self._axes.values()])
        made = self._made.get(sizes)
        if made is None:
            made = self._make(sizes)
        return made.copy()

    def _make(self, sizes: tuple[int, ...]) -> Arrays:
        by_axis = dict(zip(self._axes, sizes, strict=True))
        made: Arrays = {}
        for tensor in self._outputs:
            shape = [by_axis[size] if isinstance(size, str) else size for size in tensor.shape]
            made[tensor.name] = np.array(np.broadcast_to(self._constants[tensor.name], shape))
            made[tensor.name].flags.writeable = False
        if len(self._made) == CACHED_SIZES:  # clients may send any sizes; memory must not grow with them
            self._made.clear()
        self._made[sizes] = made
        return made


def load(path: Path, manifest: Manifest, threads: int) -> Null:  # noqa: ARG001
    """Read the constants; raises `ArtifactError` where they do not fit, or an output's axis is in no input."""
    axes = {axis for tensor in manifest.inputs for axis in tensor.shape if isinstance(axis, str)}
    for tensor in manifest.outputs:
        for axis in tensor.shape:
            if isinstance(axis, str) and axis not in axes:
                raise ArtifactError(f"output {tensor.name!r}: no input has its axis {axis!r}, so its size is unknown")
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as exc:
        raise ArtifactError(f"{path.name}: no constants in it: {exc}") from exc
    return Null(manifest, {tensor.name: _constant(tensor, found) for tensor in manifest.outputs})


def write(
    folder: Path,
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
    constants: Mapping[str, np.ndarray[Any, Any]] | None = None,
    model: str = "null",
) -> Manifest:
    """Make such an artifact in `folder`: numeric `constants` by output name, broadcast to its shape; zeros elsewhere.

    Raises `ArtifactError` where a constant fits no output.
    """
    found = dict(constants or {})
    by_name = {tensor.name: tensor for tensor in outputs}
    if unknown := sorted(found.keys() - by_name.keys()):
        raise ArtifactError(f"constants for {unknown}, but the outputs are {sorted(by_name)}")
    for name in found:
        _constant(by_name[name], found)
    np.savez(folder / ENTRY, **found)  # type: ignore[arg-type]
    files = artifact.digests(folder)
    manifest = Manifest(model, "none", FORMAT, "fp32", ENTRY, inputs, outputs, files, versions={}, export_s=0.0)
    artifact.write(folder, manifest)
    return manifest


def version() -> str:
    """NumPy's version: there is no other library."""
    return np.__version__


def _constant(tensor: Tensor, found: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """The output's constant, or zero, as an array that broadcasts to the output's shape."""
    if tensor.name not in found:
        return np.array(b"" if tensor.dtype == "object" else 0, tensor.dtype)
    constant = found[tensor.name]
    if constant.dtype.name != tensor.dtype or tensor.dtype == "object":
        raise ArtifactError(f"output {tensor.name!r}: a constant of {constant.dtype} for an output of {tensor.dtype}")
    try:
        # Where an axis is dynamic, the constant must not settle its size.
        np.broadcast_to(constant, [1 if isinstance(size, str) else size for size in tensor.shape])
    except ValueError as exc:
        raise ArtifactError(f"output {tensor.name!r}: a constant of shape {constant.shape} does not fit") from exc
    return constant
