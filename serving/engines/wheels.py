"""Wheels of a server's requirements, downloaded once on the host: builds need no network, and pip's own configuration
(indexes, local wheels, proxies, certificates) is honoured where it is known."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from serving.engines import fingerprint
from serving.engines.contract import Say
from serving.engines.locks import locked
from serving.errors import BuildFailed

HOST_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MANYLINUX = [f"manylinux_2_{minor}" for minor in range(36, 4, -1)] + ["manylinux2014", "manylinux2010", "manylinux1"]

_ACCELERATED = re.compile(r"^(nvidia[-_].*|triton)$", re.IGNORECASE)
_REMEDY = (
    "configure pip so that it finds the CPU builds (find-links or an extra index with torch's CPU wheels, "
    "PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL), then start again"
)


def fetch(requirements: Path, python: str, cache: Path, say: Say) -> Path:
    """The folder with one wheel for each line of `requirements`, for Linux and `python` ("3.11").

    Raises `BuildFailed` where pip cannot get them, or where what it got is a build for GPUs of several gigabytes.
    """
    folder = cache / "wheels" / fingerprint.of(requirements, python)
    with locked(folder.with_suffix(".lock"), say):
        if folder.is_dir():
            return folder
        building = folder.with_suffix(".building")
        shutil.rmtree(building, ignore_errors=True)
        say(f"downloading the wheels of {requirements.parent.name}")
        # The pins are complete, so dependencies are not followed: nothing unpinned can come in.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        target = [] if python == HOST_PYTHON else _target(python)
        run([*command, *target, "--dest", str(building), "--requirement", str(requirements)], "pip download")
        try:
            refuse_accelerated(building)
        except BuildFailed:
            shutil.rmtree(building)
            raise
        building.rename(folder)
    return folder


def refuse_accelerated(folder: Path) -> None:
    """Raise `BuildFailed` where a wheel is one of NVIDIA's or Triton, or needs one on Linux."""
    for wheel in sorted(folder.glob("*.whl")):
        names = [wheel.name.split("-")[0], *_requires(wheel)]
        if found := next((name for name in names if _ACCELERATED.match(name)), None):
            raise BuildFailed(f"{wheel.name} is, or brings along, the GPU package {found}: {_REMEDY}")


def run(command: list[str], what: str, folder: Path | None = None) -> None:
    """Run a build tool to its end, in `folder`; raises `BuildFailed` with its last line, and all it wrote."""
    # Without PYTHONPATH: pip would take packages found there for part of the environment it works on.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    if result.returncode != 0:
        wrote = (result.stdout + result.stderr).strip()
        reason = next(
            (line for line in reversed(wrote.splitlines()) if line.strip()), f"exit status {result.returncode}"
        )
        raise BuildFailed(f"{what} failed: {reason.strip()}", wrote)


def _requires(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode(errors="replace").splitlines()
    needs = [line.split(":", 1)[1].strip() for line in lines if line.startswith("Requires-Dist:")]
    return [re.split(r"[^A-Za-z0-9._-]", need)[0] for need in needs if "extra ==" not in need]


def _target(python: str) -> list[str]:
    platforms = [option for name in MANYLINUX for option in ("--platform", f"{name}_{platform.machine()}")]
    return ["--python-version", python, "--implementation", "cp", "--abi", f"cp{python.replace('.', '')}", *platforms]
