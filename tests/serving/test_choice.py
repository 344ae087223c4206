"""Which engine is chosen, whose a process is, and what is said where a daemon or a base image is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving import engines
from serving.engines import base_image, orphans, owner
from serving.errors import BuildFailed, EngineUnavailable


@pytest.fixture
def no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-daemon.sock")


@pytest.mark.usefixtures("no_daemon")
def test_auto_takes_the_process_engine_where_no_daemon_answers_and_says_why(tmp_path: Path) -> None:
    engine, note = engines.choose("auto", tmp_path, tmp_path)
    assert engine.name == "process"
    assert note is not None
    assert note.startswith("using the process engine: no Docker daemon answers")
    assert "\n" not in note


@pytest.mark.usefixtures("no_daemon")
def test_docker_without_a_daemon_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"no Docker daemon answers .* --engine process") as caught:
        engines.choose("docker", tmp_path, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_remote_daemon_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(EngineUnavailable, match="remote daemon"):
        engines.choose("docker", tmp_path, tmp_path)


def test_an_unknown_engine_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="unknown engine 'podman'; known: auto, docker, process"):
        engines.choose("podman", tmp_path, tmp_path)


def test_an_owner_is_alive_as_long_as_its_process() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    pid, ticks, boot_id = f"{sleeper.pid}", owner.start_ticks(sleeper.pid), owner._boot_id()
    assert owner.alive(f"{pid}:{ticks}:{boot_id}")
    assert not owner.alive(f"{pid}:{int(ticks or 0) + 1}:{boot_id}")  # the pid was reused
    assert not owner.alive(f"{pid}:{ticks}:another-boot")
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has reaped it yet
    assert not owner.alive(f"{pid}:{ticks}:{boot_id}")
    sleeper.wait()
    assert not owner.alive(f"{pid}:{ticks}:{boot_id}")


@pytest.mark.parametrize("nonsense", ["", "x", "1", "::", "-1:2:3", "1:None:"])
def test_an_unreadable_owner_is_nobody(nonsense: str) -> None:
    assert not owner.alive(nonsense)


def test_marking_reaches_the_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(owner.RUN, "")
    monkeypatch.setenv(owner.OWNER, "")
    marked = owner.mark("a-run")
    assert marked == owner.current()
    assert marked.owner.split(":")[0] == str(os.getpid())
    code = f"import os; print(os.environ[{owner.OWNER!r}])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == marked.owner
    assert owner.alive(marked.owner)


def test_the_sweep_spares_the_living_and_everybody_elses() -> None:
    environment = {**os.environ, owner.OWNER: f"1:{owner.start_ticks(1)}:{owner._boot_id()}"}
    living = subprocess.Popen(["sleep", "60"], env=environment)
    unmarked = subprocess.Popen(["sleep", "60"], env={name: v for name, v in os.environ.items() if name != owner.OWNER})
    orphan = subprocess.Popen(["sleep", "60"], env={**os.environ, owner.OWNER: "1:1:dead", owner.RUN: "r7"})
    try:
        removed = orphans.kill()
        assert f"process {orphan.pid} of run r7: sleep 60" in removed
        assert orphan.wait(5) == -9
        assert living.poll() is None
        assert unmarked.poll() is None
    finally:
        for process in (living, unmarked, orphan):
            process.kill()
            process.wait()


def test_without_any_way_to_a_base_image_the_remedies_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match=f"install mmdebstrap, or make .* or set {base_image.VARIABLE}"):
        base_image._fetch_mmdebstrap(tmp_path, print)
