"""Requests of several inputs from a pair's single ones, each with the answer that the single ones' make together."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

import models.zoo
from models.cases import Case
from models.pair import Tensors, TensorSpec
from pipelines.errors import BadExperiment
from pipelines.experiment import Experiment, Workload

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


def batched(cases: Sequence[Case], size: int, seed: int) -> tuple[Case, ...]:
    """As many cases of batch `size` as there are single ones, drawn from them by the seed.

    Each single case gives its shape to one batch, so shapes (lengths of text, say) stay as frequent as they were; a
    batch's members all have that shape, drawn with replacement where fewer than `size` have it.
    """
    if size == 1:
        return tuple(cases)
    alike: dict[Shapes, list[Case]] = {}
    for case in cases:
        alike.setdefault(_shapes(case), []).append(case)
    draw = random.Random(seed)
    return tuple(_joined(_members(alike[_shapes(case)], size, draw)) for case in cases)


def check(asked: Experiment) -> None:
    """Raises `BadExperiment` where a workload's `payload_batch` is more than one of its models takes."""
    for workload in asked.load.workloads:
        for model in asked.models if workload.models is None else workload.models:
            if workload.payload_batch > 1 and model in models.zoo.names():
                _check(workload, model)


def _check(workload: Workload, model: str) -> None:
    pair = models.zoo.load(model)
    asked = f"load.workloads {workload.name!r}: payload_batch is {workload.payload_batch}, but"
    first = [_first_axis(tensor) for tensor in (*pair.inputs, *pair.outputs)]
    for tensor, axis in zip((*pair.inputs, *pair.outputs), first, strict=True):
        if not isinstance(axis, str) or axis != first[0]:
            raise BadExperiment(f"{asked} tensor {tensor.name!r} of model {model!r} has no batch axis")
        if workload.payload_batch > pair.axes[axis][1]:
            raise BadExperiment(f"{asked} model {model!r} takes batches of at most {pair.axes[axis][1]}")


def _first_axis(tensor: TensorSpec) -> int | str | None:
    return tensor.shape[0] if tensor.shape else None


def _shapes(case: Case) -> Shapes:
    return tuple((name, array.shape) for name, array in sorted(case.inputs.items()))


def _members(of: Sequence[Case], size: int, draw: random.Random) -> list[Case]:
    return draw.sample(of, size) if len(of) >= size else draw.choices(of, k=size)


def _joined(members: Sequence[Case]) -> Case:
    def join(sides: Sequence[Tensors]) -> Tensors:
        return {name: np.concatenate([side[name] for side in sides], axis=0) for name in sides[0]}

    return Case(join([case.inputs for case in members]), join([case.outputs for case in members]))
