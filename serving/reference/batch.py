"""Requests merged along the batch axis, and their outputs parted again."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from serving.reference.artifact import Manifest
from serving.reference.runtimes import Arrays

Kind = tuple[tuple[int, ...], ...]
"""What two requests must share to be computed together: the shapes of their inputs without the batch axis."""


def has_batch_axis(manifest: Manifest) -> bool:
    """Whether the first axis of every input and output is one and the same dynamic axis, which appears nowhere else."""
    tensors = manifest.inputs + manifest.outputs
    first = {tensor.shape[0] if tensor.shape else None for tensor in tensors}
    if len(first) != 1:
        return False
    (axis,) = first
    return isinstance(axis, str) and not any(axis in tensor.shape[1:] for tensor in tensors)


def kind(manifest: Manifest, inputs: Arrays) -> Kind:
    return tuple(inputs[tensor.name].shape[1:] for tensor in manifest.inputs)


def rows(manifest: Manifest, inputs: Arrays) -> int:
    return int(inputs[manifest.inputs[0].name].shape[0])


def merge(requests: list[Arrays]) -> Arrays:
    """One copy of every input: the price of a batch."""
    return {name: np.concatenate([inputs[name] for inputs in requests]) for name in requests[0]}


def split(outputs: Arrays, sizes: list[int]) -> list[Arrays]:
    """Views of each request's own rows; raises `ValueError` where an output does not have as many rows as went in."""
    ends = list(accumulate(sizes))
    for name, array in outputs.items():
        if array.shape[0] != ends[-1]:
            raise ValueError(f"output {name!r} has {array.shape[0]} rows for {ends[-1]} that went in")
    return [
        {name: array[end - size : end] for name, array in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]
