"""A request against the manifest, before a runtime sees it: runtimes answer nonsense with anything up to a crash."""

from __future__ import annotations

from collections.abc import Iterable

from serving.reference.artifact import Manifest
from serving.reference.datatypes import WIRE
from serving.reference.errors import RequestError
from serving.reference.runtimes import Arrays


def check_inputs(manifest: Manifest, inputs: Arrays) -> None:
    """Raise `RequestError` (400) unless `inputs` are the manifest's in dtype and shape; a named axis has one size."""
    _check_known("input", inputs, [tensor.name for tensor in manifest.inputs])
    axes: dict[str, int] = {}
    for tensor in manifest.inputs:
        if tensor.name not in inputs:
            raise RequestError(400, f"input {tensor.name!r} is missing")
        array = inputs[tensor.name]
        if array.dtype.name != tensor.dtype:
            expected, found = WIRE[tensor.dtype], WIRE[array.dtype.name]
            raise RequestError(400, f"input {tensor.name!r}: expected datatype {expected}, found {found}")
        fits = len(array.shape) == len(tensor.shape) and 0 not in array.shape
        if not fits or any(isinstance(e, int) and e != a for e, a in zip(tensor.shape, array.shape, strict=True)):
            raise RequestError(
                400, f"input {tensor.name!r}: expected shape {_shown(tensor.shape)}, found {_shown(array.shape)}"
            )
        for axis, size in zip(tensor.shape, array.shape, strict=True):
            if isinstance(axis, str) and axes.setdefault(axis, size) != size:
                raise RequestError(400, f"input {tensor.name!r}: axis {axis!r} is {size} here and {axes[axis]} before")


def check_outputs(manifest: Manifest, outputs: Iterable[str] | None) -> None:
    """Raise `RequestError` (400) where an output is asked for that the model does not have."""
    _check_known("output", outputs or (), [tensor.name for tensor in manifest.outputs])


def _check_known(side: str, names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise RequestError(400, f"unknown {side} {name!r}; known: {', '.join(known)}")


def _shown(shape: tuple[int | str, ...]) -> str:
    return f"[{', '.join(str(size) for size in shape)}]"
