"""The hard cases: one file each, found by discovery; the file's name is the case's name everywhere.

A file holds `case() -> HardCase` and imports neither torch nor tensorflow at its top: the modules are defined inside
the functions that build them. What cases share is in a `_file.py`, and all of those enter the cache key.
`DEPLOY_COMPARE_HARD_CASES` names one more folder (an absolute path) to find such files in.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from types import ModuleType

from models import discovery
from models.errors import UnknownModel
from models.pair import HardCase

PACKAGES = ("keras", "numpy", "tensorflow", "torch")
"""The distributions whose versions decide what a case answers."""

PLUGINS = "DEPLOY_COMPARE_HARD_CASES"

if os.environ.get(PLUGINS):
    __path__.append(os.environ[PLUGINS])


@cache
def files() -> dict[str, Path]:
    """The file of each case by its name, sorted; raises `BadPlugin`."""
    return discovery.modules(__path__, PLUGINS)


def names() -> tuple[str, ...]:
    """Names of all hard cases, sorted; raises `BadPlugin`."""
    return tuple(files())


def module(name: str) -> ModuleType:
    """The module of a hard case; raises `UnknownModel` or `BadPlugin`."""
    if name not in files():
        raise UnknownModel(name, names())
    return discovery.load(f"{__name__}.{name}", files()[name], ("case",))


@cache
def load(name: str) -> HardCase:
    """The hard case of that name; raises `UnknownModel` or `BadPlugin`. Imports no framework: its functions do."""
    return discovery.made(module(name), "case", HardCase)
