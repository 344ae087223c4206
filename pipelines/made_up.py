"""Inputs made up from what a server says of them: seeded, of the right names, datatypes and shapes, and random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loadtests.datatypes import DTYPES
from loadtests.payloads import Tensors
from pipelines.errors import BadInput
from pipelines.foreign.contract import Input

REQUESTS = 16
LARGEST = 100_000_000
"""Elements of one tensor: a slip in a size must not take all memory."""


def requests(inputs: Sequence[Input], sizes: Mapping[str, int], seed: int) -> list[Tensors]:
    """`REQUESTS` requests: floats in [0, 1), integers 0 or 1 (an index that every table has), true or false.

    `sizes` are those of dynamic axes, by `axis` or `tensor:axis`, counted from 0; one that is not named is 1. Raises
    `BadInput` for tensors of strings, for sizes of axes that are not dynamic, and for shapes that are too large.
    """
    if not inputs:
        raise BadInput("the server says that the model has no inputs; give requests by --payloads")
    shapes = {each.name: _shape(each, sizes) for each in inputs}
    _check_all_used(inputs, sizes)
    random = np.random.default_rng(seed)
    return [{each.name: _values(each, shapes[each.name], random) for each in inputs} for _ in range(REQUESTS)]


def parse_sizes(words: Sequence[str]) -> dict[str, int]:
    """`1=128` or `input_ids:1=128`; raises `BadInput`."""
    sizes = {}
    for word in words:
        name, _, size = word.rpartition("=")
        axis = name.rpartition(":")[2]
        if not axis.isdecimal() or not size.isdecimal() or int(size) == 0:
            raise BadInput(f"--dim: expected AXIS=SIZE or TENSOR:AXIS=SIZE, axes counted from 0, found {word!r}")
        sizes[name] = int(size)
    return sizes


def _shape(tensor: Input, sizes: Mapping[str, int]) -> tuple[int, ...]:
    if tensor.datatype not in DTYPES:
        raise BadInput(
            f"input {tensor.name!r} is {tensor.datatype}, for which nothing can be made up; give requests by --payloads"
        )
    shape = tuple(
        size if size >= 0 else sizes.get(f"{tensor.name}:{axis}", sizes.get(str(axis), 1))
        for axis, size in enumerate(tensor.shape)
    )
    if np.prod(shape, dtype=float) > LARGEST:
        raise BadInput(
            f"input {tensor.name!r} of shape {list(shape)} would be too large; choose smaller sizes by --dim"
        )
    return shape


def _check_all_used(inputs: Sequence[Input], sizes: Mapping[str, int]) -> None:
    dynamic = [(each.name, axis) for each in inputs for axis, size in enumerate(each.shape) if size < 0]
    known = {f"{name}:{axis}" for name, axis in dynamic} | {str(axis) for _, axis in dynamic}
    for name in sizes:
        if name not in known:
            there = ", ".join(f"{tensor}:{axis}" for tensor, axis in dynamic) or "none"
            raise BadInput(f"--dim: {name} is no dynamic axis of this model; those are: {there}")


def _values(tensor: Input, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    dtype = DTYPES[tensor.datatype]
    if dtype.kind == "f":
        return random.random(shape).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)
