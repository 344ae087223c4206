"""All that can be exported, by name: the zoo's model pairs and the hard cases."""

from __future__ import annotations

from models import hard_cases, zoo
from models.errors import NameTaken, UnknownModel
from models.pair import Matched


def names() -> tuple[str, ...]:
    """Names of all pairs, then of all hard cases; raises `BadPlugin`."""
    pairs, cases = zoo.files(), hard_cases.files()
    for name in pairs.keys() & cases.keys():
        raise NameTaken(name, pairs[name], cases[name])
    return (*pairs, *cases)


def load(name: str) -> Matched:
    """The model pair or hard case of that name; raises `UnknownModel` or `BadPlugin`. Imports no framework."""
    if name not in names():
        raise UnknownModel(name, names())
    return zoo.load(name) if name in zoo.names() else hard_cases.load(name)
