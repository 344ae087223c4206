"""What the whole suite needs: servers' images and environments, built while tests run that need none."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipelines import experiments
from tests.pipelines import driving

ROOT = Path(__file__).parents[1]
_building = pytest.StashKey[tuple[subprocess.Popen[bytes], Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--build", action="store_true", help="build all servers meanwhile: minutes, on a bare machine")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Not in the workers of pytest-xdist, of which each is a session of its own."""
    config = session.config
    if not config.getoption("--build") or hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="deploy-compare-building-"))
    servers = experiments.load(str(driving.TINY)).servers or ()
    arguments = [sys.executable, "-m", "tests.building", str(folder), *servers]
    with (folder / "log.txt").open("wb") as log:
        config.stash[_building] = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=log), folder


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The tests that come next need what is built; where one failed or who ran them gave up there are none."""
    building = session.config.stash.get(_building, None)
    if building is None:
        return
    process, folder = building
    if exitstatus != pytest.ExitCode.OK:
        process.terminate()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
