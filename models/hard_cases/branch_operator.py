"""A branch that is an operator: torch.cond holds both sides in the graph, and the data say which one is taken."""

from __future__ import annotations

from typing import Any

from models.hard_cases._branches import ANSWERS, FEATURES, WEIGHTS, branching
from models.hard_cases._seeded import fill
from models.pair import HardCase


def case() -> HardCase:
    return branching(
        "branch_operator",
        "branch as an operator",
        "one of two layers, by the mean of the input: torch.cond from torch, the same operator from TensorFlow",
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
            def if_warm(x: torch.Tensor) -> torch.Tensor:
                return torch.relu(self.warm(x))

            def if_cool(x: torch.Tensor) -> torch.Tensor:
                return torch.tanh(self.cool(x))

            return torch.cond(x.mean() > 0, if_warm, if_cool, (x,))

    return fill(Branch(), WEIGHTS)
