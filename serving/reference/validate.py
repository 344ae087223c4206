"""A request against the manifest, before a runtime sees it: runtimes answer nonsense with anything up to a crash."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from serving.reference.artifact import Manifest, Tensor
from serving.reference.datatypes import DATATYPE
from serving.reference.errors import RequestError
from serving.reference.runtimes import Arrays


class Validator:
    """Checks of one model's requests; what does not depend on the request is prepared once."""

    def __init__(self, manifest: Manifest) -> None:
        self._inputs = [(tensor, tensor.name, np.dtype(tensor.dtype)) for tensor in manifest.inputs]
        self._input_names = {tensor.name: None for tensor in manifest.inputs}
        self._output_names = {tensor.name: None for tensor in manifest.outputs}

    def check(self, inputs: Arrays, outputs: Iterable[str] | None) -> None:
        """Raise `RequestError` (400) unless `inputs` are the manifest's in dtype and shape; a named axis has one size.

        `outputs`, where given, must be outputs of the model.
        """
        if inputs.keys() - self._input_names.keys():
            raise _unknown("input", inputs, self._input_names)
        if outputs is not None and not self._output_names.keys() >= set(outputs):
            raise _unknown("output", outputs, self._output_names)
        axes: dict[str, int] = {}
        for tensor, name, dtype in self._inputs:
            array = inputs.get(name)
            if array is None:
                raise RequestError(400, f"input {name!r} is missing")
            if array.dtype != dtype:
                expected, found = DATATYPE[dtype], DATATYPE[array.dtype]
                raise RequestError(400, f"input {name!r}: expected datatype {expected}, found {found}")
            if len(array.shape) != len(tensor.shape):
                raise _misshapen(tensor, array.shape)
            for axis, size in zip(tensor.shape, array.shape, strict=True):
                if size == 0 or (size != axis and isinstance(axis, int)):
                    raise _misshapen(tensor, array.shape)
                if isinstance(axis, str) and axes.setdefault(axis, size) != size:
                    raise RequestError(400, f"input {name!r}: axis {axis!r} is {size} here and {axes[axis]} before")


def _unknown(side: str, names: Iterable[str], known: Iterable[str]) -> RequestError:
    name = next(name for name in names if name not in known)
    return RequestError(400, f"unknown {side} {name!r}; known: {', '.join(known)}")


def _misshapen(tensor: Tensor, found: tuple[int, ...]) -> RequestError:
    expected = ", ".join(str(size) for size in tensor.shape)
    return RequestError(400, f"input {tensor.name!r}: expected shape [{expected}], found {list(found)}")
