"""Requests of several inputs from a pair's single ones, each with the answer that the single ones' make together."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

import models.zoo
from models.cases import Case
from models.pair import ModelPair, Tensors
from pipelines.errors import BadExperiment
from pipelines.experiment import Experiment, Workload

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


def batched(cases: Sequence[Case], size: int, seed: int, axes: Mapping[str, int]) -> tuple[Case, ...]:
    """As many cases of batch `size` as there are single ones, drawn from them by the seed.

    `axes` is the index of each tensor's batch axis, by name: `batch_axes` of the model.

    Each single case gives its shape to one batch, so shapes (lengths of text, say) stay as frequent as they were; a
    batch's members all have that shape, drawn with replacement where fewer than `size` have it.
    """
    if size == 1:
        return tuple(cases)
    alike: dict[Shapes, list[Case]] = {}
    for case in cases:
        alike.setdefault(_shapes(case), []).append(case)
    draw = random.Random(seed)
    return tuple(_joined(_members(alike[_shapes(case)], size, draw), axes) for case in cases)


def check(asked: Experiment) -> None:
    """Raises `BadExperiment` where a workload's `payload_batch` is more than one of its models takes."""
    for workload in asked.load.workloads:
        for model in asked.models if workload.models is None else workload.models:
            if workload.payload_batch > 1 and model in models.zoo.names():
                _check(workload, model)


def batch_axes(model: str) -> dict[str, int]:
    """Where the axis that the pair's first input begins with is, by tensor name: a recurrent state may have it second.

    Left out is a tensor without it, and every tensor where that axis is not dynamic or the model is no pair of ours.
    """
    if model not in models.zoo.names():
        return {}
    pair = models.zoo.load(model)
    axis = _batch(pair)
    return {spec.name: spec.shape.index(axis) for spec in (*pair.inputs, *pair.outputs) if axis and axis in spec.shape}


def _batch(pair: ModelPair) -> str | None:
    shape = pair.inputs[0].shape
    return shape[0] if shape and isinstance(shape[0], str) else None


def _check(workload: Workload, model: str) -> None:
    pair, axes = models.zoo.load(model), batch_axes(model)
    asked = f"load.workloads {workload.name!r}: payload_batch is {workload.payload_batch}, but"
    for tensor in (*pair.inputs, *pair.outputs):
        if tensor.name not in axes:
            raise BadExperiment(f"{asked} tensor {tensor.name!r} of model {model!r} has no batch axis")
    most = pair.axes[str(_batch(pair))][1]
    if workload.payload_batch > most:
        raise BadExperiment(f"{asked} model {model!r} takes batches of at most {most}")


def _shapes(case: Case) -> Shapes:
    return tuple((name, array.shape) for name, array in sorted(case.inputs.items()))


def _members(of: Sequence[Case], size: int, draw: random.Random) -> list[Case]:
    return draw.sample(of, size) if len(of) >= size else draw.choices(of, k=size)


def _joined(members: Sequence[Case], axes: Mapping[str, int]) -> Case:
    def join(sides: Sequence[Tensors]) -> Tensors:
        return {name: np.concatenate([side[name] for side in sides], axis=axes[name]) for name in sides[0]}

    return Case(join([case.inputs for case in members]), join([case.outputs for case in members]))
