"""What the whole suite needs: servers' images and environments, built on the second core while the first tests run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import experiments
from tests.pipelines import driving

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def built_meanwhile(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """On a bare machine that takes minutes; who runs some tests only has them build what they need."""
    if pytestconfig.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        yield
        return
    folder = tmp_path_factory.mktemp("building")
    servers = experiments.load(str(driving.TINY)).servers or ()
    arguments = [sys.executable, "-m", "tests.building", str(folder), *servers]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
