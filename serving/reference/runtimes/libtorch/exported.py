"""torch.export archives (.pt2). https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/export.html"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from serving.reference.artifact import ArtifactError, Manifest, Tensor
from serving.reference.runtimes import InvalidInput
from serving.reference.runtimes.libtorch import archive


def load(path: Path, manifest: Manifest) -> Callable[..., Any]:
    """The exported program as a function; raises `ArtifactError` for what `archive.check` refuses, and other tensors.

    Its guards are source code in the archive, so the module is made without them, and the hooks that check the inputs
    take longer than a small model. In their place stand the manifest, whose shapes are those of the program, and the
    sizes it was exported for.
    """
    import torch

    archive.check(path)
    try:
        program = torch.export.load(str(path))
        nodes = {node.name: node for node in program.graph.nodes}
        inputs = [_value(nodes.get(name)) for name in program.graph_signature.user_inputs]
        outputs = [_value(nodes.get(name)) for name in program.graph_signature.user_outputs]
        module = program.module(check_guards=False)
    except Exception as exc:  # whatever torch's many steps make of a damaged program
        reason = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ArtifactError(f"{path.name}: torch.export cannot load it: {reason[0]}") from exc
    _check("input", manifest.inputs, inputs)
    _check("output", _in_order(manifest.outputs, program.call_spec.out_spec), outputs)
    bounds = [
        (position, axis, *_bounds(program.range_constraints, size))
        for position, value in enumerate(inputs)
        for axis, size in enumerate(value.shape)
        if not isinstance(size, int)
    ]
    forward = module.forward

    def call(*tensors: Any) -> Any:
        for position, axis, low, high in bounds:
            if not low <= tensors[position].shape[axis] <= high:
                raise InvalidInput(
                    f"input {manifest.inputs[position].name!r}: axis {axis} was exported for {low} to {high}, "
                    f"found {tensors[position].shape[axis]}"
                )
        return forward(*tensors)

    return call


def _in_order(outputs: tuple[Tensor, ...], spec: Any) -> tuple[Tensor, ...]:
    """The manifest's outputs in the model's order, which is its own where it returns them by name."""
    if spec.type is not dict:
        return outputs
    by_name = {tensor.name: tensor for tensor in outputs}
    if by_name.keys() != set(spec.context):
        raise ArtifactError(f"the manifest names outputs {list(by_name)}, the model {list(spec.context)}")
    return tuple(by_name[name] for name in spec.context)


def _value(node: Any) -> Any:
    """The example tensor that stands for a node; None for what is no tensor."""
    value = node.meta.get("val") if node is not None else None
    return value if hasattr(value, "dtype") else None


def _bounds(ranges: dict[Any, Any], size: Any) -> tuple[int, int]:
    """The smallest and largest size of a dynamic axis; any where it depends on another."""
    found = ranges.get(size.node.expr)
    return (0, sys.maxsize) if found is None else (int(found.lower), int(min(found.upper, sys.maxsize)))


def _check(side: str, tensors: tuple[Tensor, ...], values: Sequence[Any]) -> None:
    found = ["no tensor" if value is None else str(value.dtype) for value in values]
    expected = [f"torch.{tensor.dtype}" for tensor in tensors]
    if found != expected:
        raise ArtifactError(f"the manifest's {side}s are {', '.join(expected)}; the model's are {', '.join(found)}")
    for tensor, value in zip(tensors, values, strict=True):
        fixed = tuple(size if isinstance(size, int) else -1 for size in value.shape)
        if fixed != tuple(size if isinstance(size, int) else -1 for size in tensor.shape):
            raise ArtifactError(f"the manifest gives {side} {tensor.name!r} shape {tensor.shape}, the model {fixed}")
