"""OpenVINO: its own IR, `model.xml` with the graph beside `model.bin` with the weights."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.pair import Matched
from pipelines.formats import Exported
from pipelines.formats._eight_bits import INT8
from pipelines.formats._saved_model import save
from pipelines.formats._torch_program import program

FRAMEWORKS: tuple[str, ...] = ("torch", "tensorflow")
VARIANTS: tuple[str, ...] = ("fp32", "fp16")
NOT_OFFERED = dict.fromkeys(INT8, "by a package of its own (NNCF), not built here")
PACKAGES: tuple[str, ...] = ("openvino", "torch", "tensorflow", "keras")
EXTRA: str | None = None

ENTRY = "model.xml"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:
    """Convert torch's exported program, or a SavedModel of the twin; raises what either, or OpenVINO, raises.

    fp16 halves the weights; at the border, and in computing on CPUs, tensors stay float32.
    """
    import openvino

    with TemporaryDirectory(dir=folder.parent) as scratch:
        if framework == "torch":
            model = openvino.convert_model(program(matched))
            _name(model.inputs, [spec.name for spec in matched.inputs])
            _name(model.outputs, [spec.name for spec in matched.outputs])
        else:
            save(matched, Path(scratch))
            model = openvino.convert_model(scratch)
        openvino.save_model(model, folder / ENTRY, compress_to_fp16=variant == "fp16")
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:
    """Operators of the graph, without constants, parameters and results; bodies of loops and branches count as one."""
    import openvino

    model = openvino.Core().read_model(str(path))
    return sum(op.get_type_name() not in {"Constant", "Parameter", "Result"} for op in model.get_ops())


def _name(ports: Any, names: list[str]) -> None:
    """Give the tensors their names by position: torch's graph has names of its own for them."""
    for port, name in zip(ports, names, strict=True):
        port.get_tensor().set_names({name})
