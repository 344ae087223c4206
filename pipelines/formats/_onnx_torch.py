"""From a torch module to an ONNX file, by torch's dynamo exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.pair import Matched
from pipelines.formats._torch_program import dynamic_shapes, example


def write(matched: Matched, path: Path) -> None:
    """Export with every dynamic axis dynamic; raises torch's error where the source fixes one."""
    import torch

    with torch.inference_mode():
        program = torch.onnx.export(
            matched.build("torch"),
            example(matched),
            dynamo=True,
            dynamic_shapes=dynamic_shapes(matched),
            input_names=[spec.name for spec in matched.inputs],
            verbose=False,
        )
        _name_outputs(program.model.graph, [spec.name for spec in matched.outputs])
        program.save(path, external_data=False)


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
