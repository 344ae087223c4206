"""What a format does once before its exports, whose processes are forks of the one that did it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import artifacts, formats
from pipelines.formats.executorch import preload
from pipelines.matrix.workshop import Workshop
from tests.formats.conftest import Seed
from tests.serving import fresh

EXPORT = """
import os
(folder / 'who').write_text(f'{PREPARED} {os.getppid()}')
return Exported('who', pair.inputs, pair.outputs)
"""
PRELOAD = """
def preload():
    import os
    global PREPARED
    PREPARED = os.getpid()
"""


@pytest.mark.slow
def test_exports_are_forks_of_the_process_that_prepared_their_format(seed_format: Seed, tmp_path: Path) -> None:
    seed_format("prepared", EXPORT)
    with (tmp_path / "plugins" / "prepared.py").open("a") as file:
        file.write(PRELOAD)
    with Workshop(tmp_path / "cache", print) as shop:
        assert shop.exporting("torch", "torchscript") is shop.exporting("torch")
        launch = shop.exporting("torch", "prepared")
        made = [
            artifacts.export(model, "torch", "prepared", "fp32", cache=tmp_path / "cache", launch=launch)
            for model in ("sort", "einsum")
        ]
    prepared = {(each.folder / "who").read_text() for each in made}
    assert len(prepared) == 1
    by, parent = prepared.pop().split()
    assert by == parent


@pytest.mark.skipif(formats.missing("executorch") is not None, reason=str(formats.missing("executorch")))
def test_what_executorch_prepares_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert fresh.call(_threads_after_preload) == 1


def _threads_after_preload() -> int:
    import torch

    wanted = torch.get_num_threads()
    preload()
    assert torch.get_num_threads() == wanted
    return len(list(Path("/proc/self/task").iterdir()))
