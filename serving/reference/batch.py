"""Requests merged along the batch axis, and their outputs parted again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import numpy as np

from serving.reference.artifact import Manifest
from serving.reference.job import Job, Kind
from serving.reference.runtimes import Arrays


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


def matching(waiting: Iterable[Job], most_rows: int) -> tuple[list[Job], bool]:
    """The oldest job that is alive, those of its kind that fit beside it, and the dead, to be dropped with them.

    Also whether one more request could make it fuller: at least two go together, and none had to stay behind.
    """
    batch: list[Job] = []
    alive: list[Job] = []
    room, left_behind = most_rows, False
    for job in waiting:
        if job.done():
            batch.append(job)
        elif not alive or (job.kind == alive[0].kind and job.rows <= room):
            batch.append(job)
            alive.append(job)
            room -= job.rows
        else:
            left_behind = True
    return batch, len(alive) > 1 and room > 0 and not left_behind


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
