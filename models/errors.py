"""What can go wrong with a model pair, and with finding what is added by a file or folder.

ModelError
├── BadPlugin
│   └── NameTaken
├── UnknownModel
├── NoEquivalent
└── WeightsMissing
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class ModelError(Exception):
    """Base of the tree."""


class BadPlugin(ModelError):
    """A file or folder that adds something cannot be used; the message names it and the fault."""


class NameTaken(BadPlugin):
    """Two files or folders have one name."""

    def __init__(self, name: str, first: Path, second: Path) -> None:
        super().__init__(f"two are called '{name}', rename one: {first} and {second}")


class UnknownModel(ModelError):
    """No folder of the zoo has this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown model '{name}'; known: {', '.join(known)}")


class NoEquivalent(ModelError):
    """A framework cannot say what this hard case says."""

    def __init__(self, name: str, framework: str, why: str) -> None:
        super().__init__(f"{name} has no honest equivalent in {framework}: {why}")


class WeightsMissing(ModelError):
    """The canonical weights are not where they should be."""

    def __init__(self, model: str, expected: str, remedy: str) -> None:
        super().__init__(f"{model}: no weights at {expected}; {remedy}")
