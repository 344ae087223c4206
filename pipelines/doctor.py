"""What this machine can and cannot do for a run, and the fix for each."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

import models.zoo
import pipelines.formats
from loadtests import gates
from models.errors import ModelError
from pipelines.environment import usable_cpus
from pipelines.run import CACHE
from serving import engines

NEEDED_DISK_BYTES = 25e9
"""Images, environments, wheels and artifacts of the default experiment on both engines, with room to build."""
NEEDED_MEMORY_BYTES = 8e9
"""Four servers of three copies side by side, an export, and the generator."""
IDLE_S = 1.0


@dataclass(frozen=True)
class Check:
    """One thing looked at. `fail` means that no run is possible until it is fixed."""

    name: str
    verdict: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


def examine() -> list[Check]:
    """All checks, in the order a newcomer would fix them."""
    checks = [_python(), _cores(), _memory(), _disk(), *_engines(), *_weights(), *_extras(), _no_cuda()]
    return [*checks, _idle()]


def _python() -> Check:
    return Check("python", "ok", sys.version.split()[0])


def _cores() -> Check:
    cpus = usable_cpus()
    if len(cpus) < 2:
        return Check("cores", "fail", "1 usable", "give it two: one for the server, one for the load generator")
    return Check("cores", "ok", f"{len(cpus)} usable; a server gets the last, the generator the first ones")


def _memory() -> Check:
    free = psutil.virtual_memory().available
    text = f"{free / 1e9:.1f} GB available"
    if free < NEEDED_MEMORY_BYTES:
        return Check(
            "memory", "warn", text, f"free some: the default experiment needs {NEEDED_MEMORY_BYTES / 1e9:.0f} GB"
        )
    return Check("memory", "ok", text)


def _disk() -> Check:
    free = shutil.disk_usage(Path(__file__).parent).free
    text = f"{free / 1e9:.1f} GB free"
    if free < NEEDED_DISK_BYTES:
        fix = f"free some: everything built for the default experiment takes up to {NEEDED_DISK_BYTES / 1e9:.0f} GB"
        return Check("disk", "warn", text, fix)
    return Check("disk", "ok", text)


def _engines() -> list[Check]:
    reasons = {name: engines.load(name, CACHE, CACHE / "logs").unavailable() for name in engines.NAMES}
    none = all(reasons.values())
    checks = []
    for name, reason in reasons.items():
        if reason is None:
            checks.append(Check(f"engine {name}", "ok", "available"))
        else:
            found, _, fix = reason.rpartition(": ")
            checks.append(Check(f"engine {name}", "fail" if none else "warn", found, fix))
    return checks


def _weights() -> list[Check]:
    checks = []
    for name in models.zoo.names():
        weights: Callable[[], Path] = models.zoo.load(name).weights
        try:
            size = weights().stat().st_size
        except (ModelError, OSError) as exc:
            checks.append(Check(f"weights {name}", "warn", str(exc), "make setup"))
        else:
            checks.append(Check(f"weights {name}", "ok", f"{size / 1e6:.1f} MB"))
    return checks


def _no_cuda() -> Check:
    names = (str(dist.metadata["Name"]).lower() for dist in importlib.metadata.distributions())
    found = sorted(name for name in names if name.startswith("nvidia-"))
    if found:
        fix = "point pip at a CPU wheel of torch 2.13.0 (PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL), then make clean setup"
        return Check("environment", "warn", f"{len(found)} CUDA packages, several GB that no server uses", fix)
    return Check("environment", "ok", "no CUDA packages")


def _extras() -> list[Check]:
    """The formats that need more than the project itself."""
    known = {name: pipelines.formats.load(name) for name in pipelines.formats.names()}
    wanted = [name for name, each in known.items() if each.EXTRA or pipelines.formats.tools(each)]
    checks = []
    for name in wanted:
        found, _, fix = (pipelines.formats.missing(name) or "").partition("; get it with: ")
        checks.append(Check(f"format {name}", "warn" if found else "ok", found or "installed", fix))
    return checks


def _idle() -> Check:
    """Last, and for a second: what else runs spoils every measurement."""
    busy = psutil.cpu_percent(interval=IDLE_S, percpu=True)
    text = f"cores {', '.join(f'{each:.0f} %' for each in busy)} busy"
    if max(busy) > 100 * gates.OTHERS:
        return Check(
            "idle", "warn", text, "end what else runs before measuring: its gates would call most blocks spoiled"
        )
    return Check("idle", "ok", text)
