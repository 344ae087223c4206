"""A torch module as an exported program: shared by the formats that start from one."""

from __future__ import annotations

import math
from typing import Any

from models.pair import Matched, Tensors

KEPT = "the program keeps the dtypes of its source, and no step of this way out narrows them"
"""Why a format that starts from one has no fp16."""


def example(matched: Matched) -> tuple[Any, ...]:
    """The largest parity inputs, as `positional` has them.

    Largest, because a size of 1 is taken for a constant to specialize on, and broadcast where it must not be.
    """
    return positional(matched, max(matched.parity_inputs(), key=_smallest_dynamic_size(matched)))


def positional(matched: Matched, inputs: Tensors) -> tuple[Any, ...]:
    """Contiguous tensors in the order of the module's arguments.

    Contiguous, because ExecuTorch takes the order of the example's strides (a transposed image's, say) for the input's.
    """
    import numpy as np
    import torch

    return tuple(torch.from_numpy(np.ascontiguousarray(inputs[spec.name])) for spec in matched.inputs)


def dynamic_shapes(matched: Matched) -> tuple[dict[int, Any], ...]:
    """Of each input its dynamic axes as named dimensions; inputs that share an axis share its dimension."""
    import torch

    dims = {name: torch.export.Dim(name, min=low, max=high) for name, (low, high) in matched.axes.items()}
    return tuple(
        {index: dims[axis] for index, axis in enumerate(spec.shape) if isinstance(axis, str)} for spec in matched.inputs
    )


def program(matched: Matched, module: Any = None) -> Any:
    """The module by `torch.export.export`, every dynamic axis dynamic; raises torch's error where it fixes one.

    `module` is what was made of the source's; None: the source's itself.
    """
    import torch

    module = matched.build("torch") if module is None else module
    with torch.no_grad():  # not inference_mode: converters set flags on tensors
        return torch.export.export(module, example(matched), dynamic_shapes=dynamic_shapes(matched), strict=False)


def _smallest_dynamic_size(matched: Matched) -> Any:
    def key(case: Tensors) -> tuple[int, int]:
        """The smallest of its dynamic sizes, then how large it is in all."""
        sizes = [
            case[spec.name].shape[index]
            for spec in matched.inputs
            for index, axis in enumerate(spec.shape)
            if isinstance(axis, str)
        ]
        return min(sizes, default=1), sum(math.prod(case[spec.name].shape) for spec in matched.inputs)

    return key
