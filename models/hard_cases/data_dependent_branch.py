"""Python's `if` on the value of a tensor: a batch that is warm on the whole takes another layer than a cool one."""

from __future__ import annotations

from typing import Any

from models.hard_cases._branches import ANSWERS, FEATURES, WEIGHTS, branching
from models.hard_cases._seeded import fill
from models.pair import HardCase


def case() -> HardCase:
    return branching(
        "data_dependent_branch",
        "data-dependent branch",
        "one of two layers, by the mean of the input: an `if` from torch, an operator from TensorFlow",
        _torch,
    )


def _torch() -> Any:
    import torch

    class Branch(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.warm = torch.nn.Linear(FEATURES, ANSWERS)
            self.cool = torch.nn.Linear(FEATURES, ANSWERS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.mean() > 0:
                return torch.relu(self.warm(x))
            return torch.tanh(self.cool(x))

    return fill(Branch(), WEIGHTS)
