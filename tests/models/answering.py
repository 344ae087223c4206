"""Every hard case's answers to its parity inputs, by either framework, in a process that imports both once.

python -m tests.models.answering FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from models import cases, hard_cases
from models.cases import Case
from pipelines import worker


def main(folder: Path) -> None:
    """Write `<case>-<framework>.npz` for each that there is."""
    os.environ |= worker.ENVIRONMENT
    for name in hard_cases.names():
        case = hard_cases.load(name)
        for framework in case.frameworks:
            answers = {"torch": worker.source_answers, "tensorflow": worker.twin_answers}[framework](case)
            answered = [Case(inputs, answers(inputs)) for inputs in case.parity_inputs()]
            cases.save(folder / f"{name}-{framework}.npz", answered)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
