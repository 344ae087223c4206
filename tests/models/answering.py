"""Every hard case's answers to its parity inputs, by either framework, in a process that imports both once.

python -m tests.models.answering FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from models import cases, hard_cases
from models.cases import Case
from models.pair import HardCase, Tensors
from pipelines import worker


def torch_answers(case: HardCase) -> list[Case]:
    """Of one module to all inputs, one after the other."""
    import torch

    module = case.build("torch")

    def answer(inputs: Tensors) -> Tensors:
        with torch.inference_mode():
            found = module(*[torch.from_numpy(inputs[spec.name]) for spec in case.inputs])
        outputs = found if isinstance(found, tuple) else (found,)
        return {spec.name: output.numpy() for spec, output in zip(case.outputs, outputs, strict=True)}

    return [Case(inputs, answer(inputs)) for inputs in case.parity_inputs()]


def tensorflow_answers(case: HardCase) -> list[Case]:
    """Of one twin to all inputs, one after the other."""
    import tensorflow as tf

    twin = case.build("tensorflow")

    def answer(inputs: Tensors) -> Tensors:
        found = twin({name: tf.constant(array) for name, array in inputs.items()}, training=False)
        return {spec.name: np.asarray(found[spec.name]) for spec in case.outputs}

    return [Case(inputs, answer(inputs)) for inputs in case.parity_inputs()]


def main(folder: Path) -> None:
    """Write `<case>-<framework>.npz` for each that there is."""
    os.environ |= worker.ENVIRONMENT
    for name in hard_cases.NAMES:
        case = hard_cases.load(name)
        for framework in case.frameworks:
            answers = {"torch": torch_answers, "tensorflow": tensorflow_answers}[framework]
            cases.save(folder / f"{name}-{framework}.npz", answers(case))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
