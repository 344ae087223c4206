"""Virtual environments from pinned requirements, built once: a server's are the same as in its image."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from pathlib import Path

from serving.engines import fingerprint
from serving.engines.contract import Say
from serving.engines.locks import locked
from serving.engines.wheels import HOST_PYTHON, fetch, run
from serving.errors import BuildFailed

# Also in reference/Dockerfile. tensorflow-cpu has what it needs, and is 600 MB smaller than tensorflow. ExecuTorch asks
# for its converters' and its tests' packages (coremltools, scikit-learn, …), of which its runtime imports none.
TOLERATED = re.compile(
    r"(tensorflow-serving-api \S+ requires tensorflow|executorch \S+ requires \S+), which is not installed\.$"
)
COMPLETE = ".complete"  # its size, written last: an environment without it was interrupted, and is built again


def ensure(name: str, requirements: Path, cache: Path, say: Say) -> Path:
    """The environment of a server, or of whatever else has requirements of its own; raises `BuildFailed`.

    `bin/python` in it runs what it is for.
    """
    identity = fingerprint.of(requirements, platform.python_version(), sys.base_prefix)
    folder = cache.resolve() / "environments" / f"{name}-{identity}"
    with locked(folder.with_name(folder.name + ".lock"), say):
        if (folder / COMPLETE).exists():
            return folder
        wheels = fetch(requirements, HOST_PYTHON, cache, say)
        say(f"building the environment of {name}")
        shutil.rmtree(folder, ignore_errors=True)
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)], "python -m venv")
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        offline = ["--no-index", "--no-deps", "--find-links", str(wheels)]
        run([*pip, "install", "--quiet", *offline, "--requirement", str(requirements)], "pip install")
        _check(pip)
        (folder / COMPLETE).write_text(str(sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))))
    return folder


def _check(pip: list[str]) -> None:
    try:
        run([*pip, "check"], "pip check")
    except BuildFailed as exc:
        if not all(TOLERATED.match(line) for line in exc.detail.splitlines()):
            raise


def size_bytes(folder: Path) -> int:
    """Bytes on disk of an environment when it was built; the Python interpreter itself is the host's."""
    return int((folder / COMPLETE).read_text())
