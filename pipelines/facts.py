"""What an export cost and said, beside what it wrote: kept with the artifact, and no part of it."""

from __future__ import annotations

import dataclasses
import json
import logging
import resource
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "facts.json"

DEPRECATIONS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


@dataclass(frozen=True)
class Facts:
    """Of one export."""

    export_s: float
    """Seconds of the exporter alone, without the import of its framework."""
    peak_memory_bytes: int
    """Highest resident memory of the process that exported, its framework included (VmHWM), or of one that it started
    (a compiler, say), whichever is higher."""
    operators: int | None
    """All subgraphs together; None where the format cannot tell."""
    quantized: int | None
    """Tensors or operators of 8 bits; None where the format cannot tell."""
    deprecations: tuple[str, ...]
    """`FutureWarning: first line`, each once, in the order they were raised."""


def write(folder: Path, facts: Facts) -> None:
    (folder / NAME).write_text(json.dumps(dataclasses.asdict(facts), indent=2) + "\n")


def read(folder: Path) -> Facts:
    """Raises OSError, ValueError or TypeError where there are none."""
    found: dict[str, Any] = json.loads((folder / NAME).read_text())
    return Facts(**{**found, "deprecations": tuple(found["deprecations"])})


def peak_memory_bytes() -> int:
    """Of this process until now, or of one it started that has ended: the highest of any."""
    lines = Path("/proc/self/status").read_text().splitlines()
    own_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return 1024 * max(own_kb, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


@contextmanager
def deprecations() -> Iterator[Callable[[], tuple[str, ...]]]:
    """Notes what is deprecated while the block runs, by Python's warnings and by TensorFlow's log; all is still shown.

    What is given says what was noted so far.
    """
    noted: dict[str, None] = {}
    handler = _Handler(noted)
    pairs: list[tuple[logging.Logger, logging.Handler]]
    pairs = [(logging.getLogger(name), handler) for name in (None, "tensorflow", "absl")]
    if logging.lastResort and not logging.root.handlers:  # it shows what nobody handles, and handling is what we do
        pairs.append((logging.root, logging.lastResort))
    with warnings.catch_warnings():
        for category in DEPRECATIONS:
            warnings.simplefilter("default", category)
        show = warnings.showwarning

        def note(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, DEPRECATIONS) or "deprecated" in str(message).lower():
                noted[f"{category.__name__}: {_first_line(str(message))}"] = None
            show(message, category, *rest, **more)

        warnings.showwarning = note
        for logger, added in pairs:
            logger.addHandler(added)
        try:
            yield lambda: tuple(noted)
        finally:
            for logger, added in pairs:
                logger.removeHandler(added)


class _Handler(logging.Handler):
    def __init__(self, noted: dict[str, None]) -> None:
        super().__init__(logging.WARNING)
        self._noted = noted

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if "deprecated" in said.lower():
            self._noted[f"{record.name}: {_first_line(said)}"] = None


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
