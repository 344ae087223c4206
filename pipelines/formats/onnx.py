"""ONNX by torch's dynamo exporter: one self-contained `.onnx` file with the pair's tensor names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.pair import Matched
from pipelines.formats import Exported

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
PACKAGES: tuple[str, ...] = ("torch", "onnx", "onnxscript")
EXTRA: str | None = None

ENTRY = "model.onnx"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Export with every dynamic axis of the pair dynamic; raises torch's error where the source fixes one."""
    import onnx
    import torch

    # The example's sizes must not be 1: torch.export takes 1 for a constant to specialize on.
    case = max(matched.parity_inputs(), key=lambda case: case[matched.inputs[0].name].shape[0])
    axes = {name: torch.export.Dim(name, min=low, max=high) for name, (low, high) in matched.axes.items()}
    shapes = tuple(
        {index: axes[axis] for index, axis in enumerate(spec.shape) if isinstance(axis, str)} for spec in matched.inputs
    )
    with torch.inference_mode():
        program = torch.onnx.export(
            matched.build("torch"),
            tuple(torch.from_numpy(case[spec.name]) for spec in matched.inputs),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=[spec.name for spec in matched.inputs],
            verbose=False,
        )
        _name_outputs(program.model.graph, [spec.name for spec in matched.outputs])
        program.save(folder / ENTRY, external_data=False)
    onnx.checker.check_model(folder / ENTRY)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def _name_outputs(graph: Any, names: list[str]) -> None:
    """Give the graph's outputs their names.

    Not with `output_names`: the exporter calls the result of an operator by the operator's name, so that an output
    called `embedding` would have the name of the result of an Embedding, and the graph would not be valid.
    """
    for node in graph:
        for value in node.outputs:
            if value.name in names:
                value.name = f"{value.name}_of_{node.name}"
    for value, name in zip(graph.outputs, names, strict=True):
        value.name = name
