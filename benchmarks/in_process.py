"""The baseline that is no server: the runtime called in a loop, by a process of its own on the servers' core."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.errors import LoadFailed
from benchmarks.models import Model
from benchmarks.pinned import Command, running
from benchmarks.wrk import LEAST_FOR_P99, Window


def load(model: Model, python: Path, *, seconds: float, core: int) -> Window:
    """Call the model's sample as often as goes; raises `LoadFailed`."""
    with tempfile.TemporaryDirectory(prefix="dc-") as folder:
        sample, log = Path(folder) / "sample.npy", Path(folder) / "log"
        np.save(sample, model.sample)
        argv = [str(python), "-m", "benchmarks.loop", str(sample), str(seconds)]
        with running(Command(argv, {"MODEL_PATH": str(model.path)}), core, log) as process:
            while not process.ended():
                time.sleep(0.05)
        lines = log.read_text().splitlines()
    try:
        said = json.loads(lines[-1])
        enough = said["requests"] >= LEAST_FOR_P99
        return Window(**said | {"p99_ms": said["p99_ms"] if enough else None}, errors=0, client_cpu_fraction=0.0)
    except (IndexError, ValueError, TypeError, KeyError) as exc:
        raise LoadFailed(f"the runtime in process: {' | '.join(lines[-3:])}") from exc
