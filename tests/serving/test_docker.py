"""What only containers have: their confinement, asked of the daemon and tried from inside."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import docker
import pytest

from serving import catalog
from serving.engines import containers, fingerprint, images, owner
from serving.engines.contract import Budget
from serving.engines.docker import Docker
from serving.errors import BuildFailed, DidNotStart
from tests.serving.conftest import ROOT, Artifacts
from tests.serving.test_engines import BUDGET, PROBE, SERVER

pytestmark = pytest.mark.docker

DISTRIBUTIONS = """
import importlib.metadata, json, pathlib
print(json.dumps({
    "packages": sorted(d.metadata["Name"].lower() for d in importlib.metadata.distributions()),
    "files": sorted(str(p) for p in pathlib.Path("/app").rglob("*") if p.is_file() and p.suffix != ".pyc"),
    "wheels": sorted(str(p) for root in ("/usr", "/opt", "/app", "/venv") for p in pathlib.Path(root).rglob("*.whl")),
}))
"""


@pytest.fixture(scope="module")
def engine(logs: Path) -> Docker:
    found = Docker(ROOT / ".cache", logs)
    if reason := found.unavailable():
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def client(engine: Docker) -> docker.DockerClient:
    return engine._client


def ours(client: docker.DockerClient) -> list[Any]:
    """The containers that this process owns."""
    return client.containers.list(all=True, filters={"label": f"{containers.OWNER}={owner.current().owner}"})


def test_a_server_is_confined(engine: Docker, client: docker.DockerClient, artifacts: Artifacts) -> None:
    with engine.deploy(SERVER, artifacts("onnx"), BUDGET, PROBE, "oip-http"):
        (container,) = ours(client)
        host, config = container.attrs["HostConfig"], container.attrs["Config"]
        assert config["User"] == "65532:65532"
        assert config["Labels"][containers.RUN] == owner.current().run
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["Privileged"] is False
        assert (host["Memory"], host["MemorySwap"]) == (BUDGET.memory_bytes, BUDGET.memory_bytes)
        assert host["PidsLimit"] == BUDGET.pids
        assert host["CpusetCpus"] == "1"
        assert host["NetworkMode"] == "host"
        assert [(m["Destination"], m["RW"]) for m in container.attrs["Mounts"]] == [("/artifact", False)]
        assert set(host["Tmpfs"]["/tmp"].split(",")) >= {"noexec", "nosuid", "nodev"}

        status = _inside(container, "print(open('/proc/self/status').read())")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == ["65532"] * 4
        assert fields["CapBnd"] == "0" * 16
        assert fields["NoNewPrivs"] == "1"
        for path in ("/x", "/app/x", "/artifact/x", "/venv/x"):
            assert "OSError" in _inside(container, _try_to_write(path))
        assert _inside(container, _try_to_write("/tmp/x")) == "written"
    assert ours(client) == []


def test_a_server_that_wants_too_much_memory_says_so(
    engine: Docker, client: docker.DockerClient, artifacts: Artifacts
) -> None:
    greedy = SERVER.model_copy(update={"command": ("-c", "x = b'x' * 2**29")})
    budget = Budget(cpus=(1,), memory_bytes=2**27, pids=128)
    with (
        pytest.raises(DidNotStart, match=r"out of memory \(limit 128 MiB\)"),
        engine.deploy(greedy, artifacts("onnx"), budget, PROBE, "oip-http"),
    ):
        pass
    assert ours(client) == []


@pytest.mark.parametrize("name", catalog.names())
def test_an_image_holds_only_its_own_runtime(engine: Docker, client: docker.DockerClient, name: str) -> None:
    server = catalog.load(name)
    prepared = engine.prepare(server, print)
    output = client.containers.run(prepared.reference, ["-c", DISTRIBUTIONS], remove=True, network_mode="none")
    found = json.loads(output)
    pinned = {line.partition("==")[0] for line in server.requirements.read_text().split()}
    assert {re.sub(r"[-_.]+", "-", package) for package in found["packages"]} == {re.sub(r"\.", "-", p) for p in pinned}
    assert not {package for package in pinned if package.startswith(("nvidia", "triton"))}
    assert found["wheels"] == []
    expected = {file.relative_to(ROOT).as_posix() for file in fingerprint.files(ROOT / "serving" / "reference")}
    assert {file.removeprefix("/app/") for file in found["files"]} == expected | {"serving/__init__.py"}


def test_an_image_is_built_only_when_something_changed(engine: Docker) -> None:
    said: list[str] = []
    first = engine.prepare(SERVER, print)
    assert engine.prepare(SERVER, said.append) == first
    assert said == []


def test_a_build_that_fails_says_where(engine: Docker, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE\nFROM ${BASE}\nRUN echo before; echo the reason >&2; exit 7\n")
    server = SERVER.model_copy(update={"dockerfile": dockerfile})
    with pytest.raises(BuildFailed, match="returned a non-zero code: 7") as caught:
        engine.prepare(server, print)
    assert "the reason" in caught.value.detail


def test_a_clone_with_a_strict_umask_builds_the_same_image(tmp_path: Path) -> None:
    with (tmp_path / "context.tar").open("wb+") as context:
        images._write_context(context, tmp_path, SERVER.requirements, SERVER.folder / SERVER.dockerfile)
        with tarfile.open(fileobj=context) as archive:
            sources = [member for member in archive.getmembers() if member.name.startswith("serving/")]
    assert sources
    assert {member.mode for member in sources} == {0o644}


def _inside(container: Any, code: str) -> str:
    _, output = container.exec_run(["/venv/bin/python", "-c", code])
    return str(output.decode()).strip()


def _try_to_write(path: str) -> str:
    return f"try:\n open({path!r}, 'w')\n print('written')\nexcept OSError as exc:\n print('OSError', exc)"
