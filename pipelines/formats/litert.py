"""LiteRT from torch: the flatbuffer of format `tflite`, written by litert-torch by way of StableHLO.

From TensorFlow, LiteRT's converter is `tf.lite.TFLiteConverter`, and so format `tflite` is that way: litert-converter
takes StableHLO only.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Mapping
from importlib import import_module
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from models.pair import Matched, TensorSpec
from pipelines.formats import Exported, _flatbuffer
from pipelines.formats._eight_bits import INT8
from pipelines.formats._torch_program import dynamic_shapes, example

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
NOT_OFFERED = dict.fromkeys(
    ("fp16", *INT8), "by another package (ai-edge-quantizer), not built here: most files have lost their dynamic sizes"
)
PACKAGES: tuple[str, ...] = ("litert-torch", "litert-converter", "ai-edge-litert", "torch")
EXTRA: str | None = "litert"

ENTRY = "model.tflite"


def preload() -> None:
    """Import it."""
    import_module("litert_torch")


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Convert with dynamic sizes, or at those of one request where that fails.

    The manifest has the sizes that were fixed. Raises what torch.export or one of litert-torch's lowerings raises of
    fixed sizes: what fails with these too has another reason than dynamic ones.
    """
    names = [spec.name for spec in matched.inputs]
    sizes = _request(matched)
    fixed = {}
    try:
        shapes = dict(zip(names, dynamic_shapes(matched), strict=True))
        _convert(matched, dict(zip(names, example(matched), strict=True)), shapes, folder / ENTRY)
    except Exception:  # its lowerings end in any kind of error, an assertion's included
        traceback.print_exc()
        fixed = _fixed(matched, sizes)
        if not fixed:
            raise
        _convert(matched, sizes, None, folder / ENTRY)
    return Exported(ENTRY, _at(matched.inputs, fixed), _at(matched.outputs, fixed))


def operators(path: Path) -> int | None:
    """Operators of all subgraphs."""
    return _flatbuffer.operators(path)


def _convert(matched: Matched, sample: dict[str, Any], shapes: dict[str, Any] | None, path: Path) -> None:
    """To a file. 64 bits stay 64 bits: else the converter makes the border's int64 int32, which is not the pair's."""
    import litert_torch

    converted = litert_torch.convert(_named(matched), sample_kwargs=sample, dynamic_shapes=shapes, enable_x64=True)
    converted.export(str(path))


def _named(matched: Matched) -> Any:
    """The module as one from tensors by name to tensors by name: of these the converter makes the signature."""
    import torch

    names = ["self", *(spec.name for spec in matched.inputs)]

    class Named(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = matched.build("torch")

        def forward(self, **tensors: Any) -> dict[str, Any]:
            found = self.module(*[tensors[spec.name] for spec in matched.inputs])
            results = found if isinstance(found, tuple) else (found,)
            return {spec.name: tensor for spec, tensor in zip(matched.outputs, results, strict=True)}

        # torch.export finds dynamic shapes by parameter, and cannot where there is but one `**tensors`.
        forward.__signature__ = Signature(  # type: ignore[attr-defined]
            [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        )

    return Named().eval()


def _request(matched: Matched) -> dict[str, Any]:
    """The first calibration input, of a pair one of batch 1, as contiguous tensors by name."""
    import numpy as np
    import torch

    first = matched.calibration_inputs()[0]
    return {spec.name: torch.from_numpy(np.ascontiguousarray(first[spec.name])) for spec in matched.inputs}


def _fixed(matched: Matched, sample: Mapping[str, Any]) -> dict[str, int]:
    """By axis the size it has in the sample."""
    return {
        axis: int(sample[spec.name].shape[index])
        for spec in matched.inputs
        for index, axis in enumerate(spec.shape)
        if isinstance(axis, str)
    }


def _at(specs: tuple[TensorSpec, ...], fixed: Mapping[str, int]) -> tuple[TensorSpec, ...]:
    return tuple(
        dataclasses.replace(
            spec, shape=tuple(fixed.get(size, size) if isinstance(size, str) else size for size in spec.shape)
        )
        for spec in specs
    )
