"""What is measured, and the bar each case has to pass."""

from __future__ import annotations

from dataclasses import dataclass

IN_PROCESS = "in_process"
"""The name of the baseline that is no server: the same runtime called in a loop."""


@dataclass(frozen=True)
class Case:
    """One model in one encoding."""

    name: str
    letter: str
    """The case's letter in the issue that asked for it."""
    title: str
    model: str
    form: str
    """`json` or `binary`."""
    bar: float
    """The least ratio of our requests/s to the baseline's."""
    against_runtime: bool = False
    """The baseline is the same runtime in process; otherwise it is the best peer."""


CASES = {
    case.name: case
    for case in (
        Case("mlp-json", "a", "64-float MLP, JSON", "mlp", "json", 5.0),
        Case("mlp-binary", "b", "64-float MLP, binary", "mlp", "binary", 8.0),
        Case("image-binary", "c", "3×224×224 float32 image, binary, average pooling", "image", "binary", 5.0),
        Case("resnet18", "d", "ResNet-18, 3×224×224 float32, binary", "resnet18", "binary", 0.95, against_runtime=True),
    )
}
