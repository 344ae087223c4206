"""The hard cases: one file each, found by discovery; the file's name is the case's name everywhere.

A file holds `case() -> HardCase` and imports neither torch nor tensorflow at its top: the modules are defined inside
the functions that build them. What cases share is in a `_file.py`, and all of those enter the cache key.
`DEPLOY_COMPARE_HARD_CASES` names one more folder (an absolute path) to find such files in.
"""

from __future__ import annotations

import os
import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from models.errors import UnknownModel
from models.pair import HardCase

PACKAGES = ("keras", "numpy", "tensorflow", "torch")
"""The distributions whose versions decide what a case answers."""

PLUGINS = "DEPLOY_COMPARE_HARD_CASES"

if os.environ.get(PLUGINS):
    __path__.append(os.environ[PLUGINS])

NAMES = tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_")))


def module(name: str) -> ModuleType:
    """The file of a hard case; raises `UnknownModel`."""
    if name not in NAMES:
        raise UnknownModel(name, NAMES)
    return import_module(f"{__name__}.{name}")


@cache
def load(name: str) -> HardCase:
    """The hard case of that name; raises `UnknownModel`. Imports no framework: its functions do."""
    case: HardCase = module(name).case()
    return case
