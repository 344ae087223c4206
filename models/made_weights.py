"""Canonical weights that are too large to commit: made once on a machine, in a process of their own, then kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from models.errors import WeightsMissing

CACHE = Path(__file__).parents[1] / ".cache" / "weights"


def made(model: str, decided_by: str, maker: str) -> Path:
    """The weights that `python -m <maker> FILE` writes, from the cache or made now; raises `WeightsMissing`.

    `decided_by` is a hash of whatever decides them. They are made in a process of their own, because it takes torch,
    and whoever only asks where the weights are does not want to import that.
    """
    path = CACHE / f"{model}-{decided_by[:16]}.safetensors"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=CACHE) as scratch:
            fresh = Path(scratch, path.name)
            ended = subprocess.run([sys.executable, "-m", maker, str(fresh)], stderr=subprocess.PIPE, check=False)
            if ended.returncode:
                said = ended.stderr.decode(errors="replace").strip().splitlines() or [f"status {ended.returncode}"]
                raise WeightsMissing(model, str(path), f"python -m {maker} could not make them: {said[-1]}")
            # At once: another process sees the whole file or none.
            fresh.replace(path)
    return path
