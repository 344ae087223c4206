"""Requirements, wheels and environments: the same pins everywhere, and no GPU package by accident."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from serving import catalog
from serving.engines import environments, fingerprint, images, wheels
from serving.engines.process import Process
from serving.errors import BuildFailed
from tests.serving.conftest import ROOT

SAME_CODE = {"tensorflow-cpu": "tensorflow"}  # the image has the build without GPU support


@pytest.mark.parametrize("name", catalog.names())
def test_pins_are_complete_and_those_of_the_host(name: str) -> None:
    for line in catalog.load(name).requirements.read_text().split():
        package, pinned, version = line.partition("==")
        assert pinned, line
        try:
            installed = importlib.metadata.version(SAME_CODE.get(package, package))
        except importlib.metadata.PackageNotFoundError:
            continue  # only the server needs it
        assert installed.partition("+")[0] == version, line


@pytest.mark.parametrize("name", catalog.names())
def test_an_environment_holds_what_is_pinned_and_nothing_else(name: str, logs: Path) -> None:
    server = catalog.load(name)
    folder = Path(Process(ROOT / ".cache", logs).prepare(server, print).reference)
    found = {_normal(path.name.split("-")[0]) for path in folder.glob("lib/python3*/site-packages/*.dist-info")}
    assert found == {_normal(line.partition("==")[0]) for line in server.requirements.read_text().split()}
    assert not {package for package in found if package.startswith(("nvidia", "triton"))}


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


@pytest.mark.parametrize(
    ("wheel", "requires"),
    [
        ("nvidia_cublas-13.0-py3-none-any.whl", ""),
        ("triton-3.9-cp311-cp311-linux_x86_64.whl", ""),
        ("torch-2.13.0-cp311-cp311-linux_x86_64.whl", 'Requires-Dist: nvidia-cublas==13.0; platform_system == "Linux"'),
    ],
)
def test_gpu_builds_are_refused_with_the_remedy(tmp_path: Path, wheel: str, requires: str) -> None:
    with zipfile.ZipFile(tmp_path / wheel, "w") as archive:
        archive.writestr("package.dist-info/METADATA", f"Metadata-Version: 2.1\n{requires}\n")
    with pytest.raises(BuildFailed, match="CPU builds"):
        wheels.refuse_accelerated(tmp_path)


def test_optional_gpu_extras_are_no_reason_to_refuse(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tensorflow_cpu-2.21.0-cp311-cp311-linux_x86_64.whl", "w") as archive:
        archive.writestr("p.dist-info/METADATA", 'Requires-Dist: nvidia-cublas<13; extra == "and-cuda"\n')
    wheels.refuse_accelerated(tmp_path)


def test_a_requirement_that_does_not_exist_fails_with_pips_reason(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("numpy==0.0.0.1\n")
    with pytest.raises(BuildFailed, match=r"pip download failed: .*numpy==0\.0\.0\.1") as caught:
        wheels.fetch(requirements, wheels.HOST_PYTHON, tmp_path / "cache", print)
    assert "numpy" in caught.value.detail
    assert not [path for path in (tmp_path / "cache" / "wheels").iterdir() if path.is_dir() and path.suffix == ""]


def test_wheels_can_be_fetched_for_another_python_than_the_hosts(tmp_path: Path) -> None:
    other = "3.12" if wheels.HOST_PYTHON != "3.12" else "3.13"
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("httptools==0.9.0\nclick==8.5.1\n")
    folder = wheels.fetch(requirements, other, tmp_path / "cache", print)
    tag = f"cp{other.replace('.', '')}"
    assert {path.name.split("-")[2] for path in folder.iterdir()} == {tag, "py3"}


def test_two_builders_at_once_and_one_that_was_interrupted_share_one_environment(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("click==8.5.1\n")
    said: list[str] = []
    ensure = partial(environments.ensure, "click-only", requirements, tmp_path / "cache", said.append)
    with ThreadPoolExecutor() as pool:
        folders = {*pool.map(lambda _: ensure(), range(3))}
    (folder,) = folders
    assert said.count("building the environment of click-only") == 1
    assert subprocess.run([folder / "bin" / "python", "-c", "import click"], check=False).returncode == 0

    (folder / environments.COMPLETE).unlink()
    assert ensure() == folder
    assert said.count("building the environment of click-only") == 2
    assert environments.size_bytes(folder) > 100_000


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder is needed")
    with pytest.raises(BuildFailed, match=r"cannot build the environment of reference-onnx: .*cache"):
        Process(tmp_path / "cache", tmp_path).prepare(catalog.load("reference-onnx"), print)


def test_a_fingerprint_tells_content_and_boundaries_apart(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = fingerprint.of(tmp_path, "torch")
    assert fingerprint.of(tmp_path, "torch") == before
    assert len({before, fingerprint.of(tmp_path, "tor", "ch"), fingerprint.of(tmp_path, "onnx")}) == 3
    (tmp_path / "a.py").write_text("x = 2\n")
    assert fingerprint.of(tmp_path, "torch") != before


def test_a_fingerprint_takes_in_whatever_is_shipped(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = fingerprint.of(tmp_path)
    for name in ("__pycache__/a.cpython-311.pyc", ".a.py.swp", ".cache/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("made by tools")
    assert fingerprint.of(tmp_path) == before
    (tmp_path / "openapi.json").write_text("{}")
    assert fingerprint.of(tmp_path) != before


def test_the_build_context_holds_the_server_with_its_data(tmp_path: Path) -> None:
    server = catalog.load("reference-onnx")
    with tempfile.TemporaryFile() as context:
        images._write_context(context, tmp_path, server.requirements, server.folder / server.dockerfile)
        with tarfile.open(fileobj=context) as archive:
            names = archive.getnames()
    assert {"serving/__init__.py", "serving/reference/routes.py", "serving/reference/openapi.json"} <= {*names}
    assert not [name for name in names if "__pycache__" in name]


def test_a_server_sees_nothing_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.engines import processes
    from serving.engines.contract import Budget

    monkeypatch.setenv("SOME_SECRET", "x")
    monkeypatch.setenv("OMP_NUM_THREADS", "99")
    environment = processes._environment(Budget((0, 1), 2**30, 64))
    assert "SOME_SECRET" not in environment
    assert environment["OMP_NUM_THREADS"] == "2"
    assert os.environ["OMP_NUM_THREADS"] == "99"


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, serving, serving.engines, serving.catalog, serving.reference.runtimes;"
        "print([name for name in ('torch', 'tensorflow', 'docker', 'onnxruntime') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert output == "[]\n"
