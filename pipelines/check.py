"""An artifact in a process that has only its runtime: does it load, and answer at every size as the source does?

    python -m pipelines.check ARTIFACT RUNTIME THREADS REFERENCE OUT

Runs in the environment of a server, so it imports NumPy and what is named below, and nothing of a framework that the
runtime does not bring itself. `OUT/checked.json` is a `Checked`; `OUT/evaluation.npz` has the outputs of the held-out
set, of which the host makes the quality. An artifact that does not load fails the job; a case that fails is data.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import cases
from models.cases import Case
from pipelines import job
from pipelines.parity import Parity, compare, tolerance
from serving.reference import artifact, runtimes
from serving.reference.artifact import Manifest
from serving.reference.runtimes import Runtime

CHECKED, EVALUATION = "checked.json", "evaluation.npz"


@dataclass(frozen=True)
class CaseChecked:
    """One parity case: the sizes it has, and how far the answer is off, or what there was instead of an answer."""

    sizes: dict[str, int]
    """Of every axis of every input, as `input_ids:1`: which of them should be dynamic, the artifact does not know."""
    parity: Parity | None
    error: str | None
    """`RuntimeError: first line`."""


@dataclass(frozen=True)
class Checked:
    """What one artifact did."""

    load_s: float
    """Seconds to load it, without the import of the runtime's library."""
    cases: tuple[CaseChecked, ...]
    evaluation_error: str | None
    """Why the held-out set has no outputs, where it has none."""


def check(folder: Path, runtime: str, threads: int, reference: Path, out: Path) -> None:
    """Load the artifact, ask it everything, write what was seen; raises what the runtime raises on loading."""
    manifest = artifact.verify(folder)
    runtimes.version(runtime)  # imports the library
    started = time.perf_counter()
    loaded = runtimes.load(runtime, folder, manifest, threads)
    load_s = time.perf_counter() - started
    found = [_case(loaded, manifest, case) for case in _asked(manifest, reference)]
    error = None
    if not all(case.error for case in found):
        error = _evaluate(loaded, cases.load(reference / "evaluation.npz"), out / EVALUATION)
    write(out / CHECKED, Checked(round(load_s, 4), tuple(found), error))


def write(path: Path, checked: Checked) -> None:
    path.write_text(json.dumps(dataclasses.asdict(checked), indent=2) + "\n")


def read(path: Path) -> Checked:
    """Read what `write` wrote; raises OSError, ValueError, KeyError or TypeError where it is not that."""
    found: dict[str, Any] = json.loads(path.read_text())
    checked = [
        CaseChecked(one["sizes"], Parity(**one["parity"]) if one["parity"] else None, one["error"])
        for one in found["cases"]
    ]
    return Checked(found["load_s"], tuple(checked), found["evaluation_error"])


def _asked(manifest: Manifest, reference: Path) -> tuple[Case, ...]:
    """The parity cases; before them one of the load test's, where only that has the sizes which the artifact fixes.

    An exporter that has to fix sizes takes those of its calibration input, of a pair the first of the load test.
    """
    parity = cases.load(reference / "parity.npz")
    if any(_fits(manifest, case) for case in parity):
        return parity
    load = cases.load(reference / "load.npz")
    return (*[case for case in load if _fits(manifest, case)][:1], *parity)


def _fits(manifest: Manifest, case: Case) -> bool:
    """Whether the case has every size that the artifact declares; a `str` stands for any."""
    return all(
        isinstance(declared, str) or declared == size
        for tensor in manifest.inputs
        for declared, size in zip(tensor.shape, case.inputs[tensor.name].shape, strict=False)
    )


def _case(loaded: Runtime, manifest: Manifest, case: Case) -> CaseChecked:
    sizes = {
        f"{tensor.name}:{index}": size
        for tensor in manifest.inputs
        for index, size in enumerate(case.inputs[tensor.name].shape)
    }
    try:
        outputs = loaded.infer(case.inputs)
    except Exception as exc:
        print(f"at {sizes}:", file=sys.stderr)
        traceback.print_exc()
        return CaseChecked(sizes, None, job.first_line(exc))
    return CaseChecked(sizes, compare(outputs, case.outputs, tolerance(manifest.variant)), None)


def _evaluate(loaded: Runtime, evaluation: Sequence[Case], out: Path) -> str | None:
    try:
        cases.save(out, [Case({}, loaded.infer(case.inputs)) for case in evaluation])
    except Exception as exc:
        print("on the held-out set:", file=sys.stderr)
        traceback.print_exc()
        return job.first_line(exc)
    return None


def preload(runtime: str) -> None:
    """Import the runtime's library; a nursery does it before its first job."""
    runtimes.version(runtime)


def main(arguments: Sequence[str]) -> int:
    """Check one artifact; returns the exit status."""
    folder, runtime, threads, reference, out = arguments
    return job.end(lambda: check(Path(folder), runtime, int(threads), Path(reference), Path(out)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
