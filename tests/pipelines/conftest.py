"""Both engines for every end-to-end test; docker's skip only where no daemon answers."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from serving import engines


@pytest.fixture(scope="module", params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    name = cast(str, request.param)
    folder: Path = tmp_path_factory.mktemp("engine")
    reason = engines.load(name, folder, folder).unavailable()
    if reason:
        pytest.skip(reason)
    return name
