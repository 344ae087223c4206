"""An exporter that writes something else each time is told as such, and one that does not as the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPORTER = """
import os
from pathlib import Path
from pipelines.formats import Exported
FRAMEWORKS, VARIANTS, PACKAGES, EXTRA = ("torch",), ("fp32",), (), None
def export(matched, framework, variant, folder):
    (folder / "always").write_bytes(b"the same")
    (folder / "model").write_bytes({written})
    return Exported("model", matched.inputs, matched.outputs)
def operators(path):
    return None
"""

PROGRAM = """
import sys
from pathlib import Path
from pipelines import artifacts
made = artifacts.export("sort", "torch", sys.argv[1], "fp32", Path(sys.argv[2]))
print(artifacts.differing(made, Path(sys.argv[2])))
"""


@pytest.mark.parametrize(("written", "said"), [("os.urandom(8)", "('model',)"), ("bytes(8)", "()")])
def test_files_that_a_second_export_writes_otherwise_are_named(written: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "drawn.py").write_text(EXPORTER.format(written=written))
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "drawn", str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DEPLOY_COMPARE_FORMATS": str(tmp_path)},
    )
    assert ended.stdout == f"{said}\n"
