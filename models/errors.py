"""What can go wrong with a model pair.

ModelError
├── UnknownModel
├── NoEquivalent
└── WeightsMissing
"""

from __future__ import annotations

from collections.abc import Sequence


class ModelError(Exception):
    """Base of the tree."""


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
