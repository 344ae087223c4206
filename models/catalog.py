"""All that can be exported, by name: the zoo's model pairs and the hard cases."""

from __future__ import annotations

from models import hard_cases, zoo
from models.errors import UnknownModel
from models.pair import Matched

NAMES = (*zoo.NAMES, *hard_cases.NAMES)


def load(name: str) -> Matched:
    """The model pair or hard case of that name; raises `UnknownModel`. Imports no framework."""
    if name in zoo.NAMES:
        return zoo.load(name)
    if name in hard_cases.NAMES:
        return hard_cases.load(name)
    raise UnknownModel(name, NAMES)
