"""Where a run took place: what a reader needs to know before comparing its figures with another machine's."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from pipelines import cores

PACKAGES = (
    "torch", "tensorflow", "keras", "onnx", "onnxscript", "onnxruntime", "ai-edge-litert", "openvino",
    "numpy", "locust", "geventhttpclient", "docker", "uvicorn", "pyarrow", "scipy",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """CPU, memory, kernel, Python, package versions and git revision of this machine and clone."""
    return {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(logical=True),
        "usable_cores": usable_cpus(),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "system": platform.platform(),
        "cgroup_version": 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        "frequency_governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "cores_kept_awake": cores.may_keep_awake(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "git_revision": revision(Path(__file__).parents[1]),
    }


def usable_cpus() -> list[int]:
    """The cores this process may run on, sorted: in a container or a batch job fewer than the machine has."""
    return sorted(os.sched_getaffinity(0))


def revision(clone: Path) -> str | None:
    """The commit of a clone, with `+changes` where its work tree differs from it or has more files; else None."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(clone), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("describe", "--always", "--abbrev=12") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu_model() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
