"""Environments of the peers: one a peer under `.cache/peers`, from its pinned requirements, built once."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
from pathlib import Path

from benchmarks.errors import NotInstalled
from serving.engines import fingerprint
from serving.engines.contract import Say
from serving.engines.locks import locked
from serving.engines.wheels import run
from serving.errors import BuildFailed

COMPLETE = ".complete"  # written last: an environment without it was interrupted, and is built again

_ACCELERATED = re.compile(r"^(nvidia[-_].*|triton)$", re.IGNORECASE)


def ensure(name: str, requirements: Path, cache: Path, say: Say) -> Path:
    """The environment's Python; raises `NotInstalled`."""
    identity = fingerprint.of(requirements, platform.python_version())
    folder = cache.resolve() / "peers" / f"{name}-{identity}"
    with locked(folder.with_name(folder.name + ".lock"), say):
        if not (folder / COMPLETE).exists():
            say(f"building the environment of {name}")
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _build(requirements, folder)
            except BuildFailed as exc:
                raise NotInstalled(str(exc)) from exc
            (folder / COMPLETE).touch()
    return folder / "bin" / "python"


def version(python: Path, package: str) -> str:
    """The version of a package in that environment."""
    found = importlib.metadata.distributions(name=package, path=[str(_packages(python.parents[1]))])
    return next(iter(found)).version


def _build(requirements: Path, folder: Path) -> None:
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)], "python -m venv")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    # The pins are complete, so dependencies are not followed: nothing unpinned can come in.
    run([*pip, "install", "--quiet", "--no-deps", "--requirement", str(requirements)], "pip install")
    names = [d.metadata["Name"] for d in importlib.metadata.distributions(path=[str(_packages(folder))])]
    if found := next(filter(_ACCELERATED.match, names), None):
        raise NotInstalled(f"{requirements} brings along the GPU package {found}")


def _packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python*/site-packages"))
