"""The zoo: one folder a model pair, found by discovery; the folder's name is the model's name everywhere.

A folder's `__init__.py` holds `PACKAGES` (distributions whose versions decide what the model answers) and `pair()`,
and imports neither torch nor tensorflow. `DEPLOY_COMPARE_MODELS` names one more folder (an absolute path) to
find such folders in.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from types import ModuleType

from models import discovery
from models.errors import UnknownModel
from models.pair import ModelPair

PLUGINS = "DEPLOY_COMPARE_MODELS"

if os.environ.get(PLUGINS):
    __path__.append(os.environ[PLUGINS])


@cache
def files() -> dict[str, Path]:
    """The `__init__.py` of each pair by its name, sorted; raises `BadPlugin`."""
    found = discovery.modules(__path__, PLUGINS)
    return {name: path for name, path in found.items() if path.name == "__init__.py"}


def names() -> tuple[str, ...]:
    """Names of all pairs, sorted; raises `BadPlugin`."""
    return tuple(files())


def module(name: str) -> ModuleType:
    """The package of a model pair; raises `UnknownModel` or `BadPlugin`."""
    if name not in files():
        raise UnknownModel(name, names())
    return discovery.load(f"{__name__}.{name}", files()[name], ("PACKAGES", "pair"))


@cache
def load(name: str) -> ModelPair:
    """The model pair of that name; raises `UnknownModel` or `BadPlugin`. Imports no framework: its functions do."""
    return discovery.made(module(name), "pair", ModelPair)
