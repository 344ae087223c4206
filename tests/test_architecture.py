"""The directions of the house, kept by tools rather than by memory."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_keep_their_directions() -> None:
    found = subprocess.run(["lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False,
                           executable=Path(sys.executable).parent / "lint-imports")  # fmt: skip
    assert found.returncode == 0, found.stdout


def test_importing_the_packages_imports_no_framework() -> None:
    code = """
import sys, pipelines.cli, pipelines.run, pipelines.doctor, pipelines.listing, serving.engines, loadtests.launch
from pipelines.known import discover
discover()
found = {"torch", "tensorflow", "keras", "onnx", "onnxruntime", "locust", "gevent"} & set(sys.modules)
sys.exit(f"imported: {found}" if found else 0)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_no_cuda_package_is_in_the_environment() -> None:
    names = {str(found.metadata["Name"]).lower() for found in distributions()}
    assert not {name for name in names if name.startswith("nvidia-")}


def test_what_pyproject_asks_for_is_what_the_lock_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {*project["dependencies"], *project["optional-dependencies"]["dev"]}
    locked = {_normal(line) for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert {pin for pin in asked if _normal(pin) not in locked} == set()


def test_every_dependency_is_pinned_exactly() -> None:
    places = ["serving/servers/*/requirements.txt", "tests/serving/clients/requirements.txt", "requirements.lock"]
    files = [path for place in places for path in ROOT.glob(place)]
    pins = [line for path in files for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin)] == []


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"
