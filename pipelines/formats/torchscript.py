"""TorchScript by tracing: one `.pt` file that libtorch runs without Python."""

from __future__ import annotations

from pathlib import Path

from models.pair import Matched
from pipelines.formats import Exported, _torchscript
from pipelines.formats._torch_program import example

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
NOT_OFFERED = _torchscript.NOT_OFFERED
PACKAGES: tuple[str, ...] = ("torch",)
EXTRA: str | None = None

ENTRY = "model.pt"


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Trace the source once; raises AssertionError where the trace only holds for the sizes it was traced at.

    A trace records what happened to one example, so a size that Python code looked at is frozen into it without an
    error. Only running it at other sizes shows that.
    """
    import torch

    module = matched.build("torch")
    examples = [tuple(torch.from_numpy(case[spec.name]) for spec in matched.inputs) for case in matched.parity_inputs()]
    with torch.inference_mode():
        traced = torch.jit.trace(module, example(matched), check_trace=False)
        for case in examples:
            # Both answer with a tensor or a tuple of them; assert_close compares shapes and values of either.
            torch.testing.assert_close(traced(*case), module(*case), rtol=1e-4, atol=1e-4)
        traced.save(folder / ENTRY)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:
    """Nodes of the inlined graph and its blocks."""
    return _torchscript.count(path)
