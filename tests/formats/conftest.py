"""Formats that only a test has, found as any plugin is: through the environment, in this process and in the worker."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines import formats

Seed = Callable[[str, str], None]

HEAD = """
from pipelines.formats import Exported

FRAMEWORKS = ("torch",)
VARIANTS = ("fp32",)
PACKAGES = ()
EXTRA = None


def operators(path):
    return None


def export(pair, framework, variant, folder):
"""


@pytest.fixture
def seed_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seed]:
    """`seed_format(name, body)` adds a format whose `export` has this body."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setenv(formats.PLUGINS, str(folder))
    seeded = []

    def seed(name: str, body: str) -> None:
        seeded.append(name)
        (folder / f"{name}.py").write_text(HEAD + "".join(f"    {line}\n" for line in body.splitlines()))
        importlib.reload(formats)

    yield seed
    monkeypatch.undo()
    for name in seeded:
        sys.modules.pop(f"{formats.__name__}.{name}", None)
    importlib.reload(formats)
