"""The zoo: one folder a model pair, found by discovery; the folder's name is the model's name everywhere.

A folder's `__init__.py` holds `PACKAGES` (distributions whose versions decide what the model answers) and `pair()`,
and imports neither torch nor tensorflow. `DEPLOY_COMPARE_MODELS` names one more folder (an absolute path) to
find such folders in.
"""

from __future__ import annotations

import os
import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from models.errors import UnknownModel
from models.pair import ModelPair

PLUGINS = "DEPLOY_COMPARE_MODELS"

if os.environ.get(PLUGINS):
    __path__.append(os.environ[PLUGINS])

NAMES = tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.ispkg))


def module(name: str) -> ModuleType:
    """The package of a model pair; raises `UnknownModel`."""
    if name not in NAMES:
        raise UnknownModel(name, NAMES)
    return import_module(f"{__name__}.{name}")


@cache
def load(name: str) -> ModelPair:
    """The model pair of that name; raises `UnknownModel`. Imports no framework: its functions do."""
    pair: ModelPair = module(name).pair()
    return pair
