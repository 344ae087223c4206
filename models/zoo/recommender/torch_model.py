"""The source: imported only inside functions, because importing it imports torch.

https://arxiv.org/abs/1906.00091 (DLRM), with a pooled history of items as in https://arxiv.org/abs/1706.06978.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models import weights as rules

FEATURES, WIDTH = 13, 32
USERS, ITEMS, CATEGORIES = 50_000, 50_000, 1_000
VECTORS = 5  # dense features, user, item, category, history
PAIRS = VECTORS * (VECTORS - 1) // 2


class Recommender(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """How probably a user clicks an item.

    dense float32 (batch, 13), user, item, category int64 (batch,), history int64 (batch, history) of item ids with 0
    for nothing → click_probability float32 (batch,).
    """

    def __init__(self) -> None:
        super().__init__()
        self.bottom1, self.bottom2 = nn.Linear(FEATURES, 64), nn.Linear(64, WIDTH)
        self.users = nn.Embedding(USERS, WIDTH)
        self.items = nn.Embedding(ITEMS, WIDTH)
        self.categories = nn.Embedding(CATEGORIES, WIDTH)
        self.top1, self.top2, self.top3 = nn.Linear(WIDTH + PAIRS, 64), nn.Linear(64, 32), nn.Linear(32, 1)
        # Where the pairs are in a flattened matrix of all products; follows from VECTORS, so not a weight.
        first, second = torch.tril_indices(VECTORS, VECTORS, offset=-1)
        self.register_buffer("pairs", first * VECTORS + second, persistent=False)

    def forward(
        self,
        dense: torch.Tensor,
        user: torch.Tensor,
        item: torch.Tensor,
        category: torch.Tensor,
        history: torch.Tensor,
    ) -> torch.Tensor:
        return torch.sigmoid(self.logit(dense, user, item, category, history))

    def logit(
        self,
        dense: torch.Tensor,
        user: torch.Tensor,
        item: torch.Tensor,
        category: torch.Tensor,
        history: torch.Tensor,
    ) -> torch.Tensor:
        """What the sigmoid takes, (batch,)."""
        bottom = torch.relu(self.bottom2(torch.relu(self.bottom1(dense))))
        looked_up = self.users(user), self.items(item), self.categories(category), self.pooled(history)
        vectors = torch.stack((bottom, *looked_up), dim=1)
        products = torch.matmul(vectors, vectors.transpose(1, 2)).flatten(1)
        crossed = torch.cat((bottom, products.index_select(1, self.pairs)), dim=1)
        return self.top3(torch.relu(self.top2(torch.relu(self.top1(crossed))))).squeeze(-1)

    def pooled(self, history: torch.Tensor) -> torch.Tensor:
        """Mean of the items that are there, 0 where there is none: (batch, history) → (batch, 32)."""
        there = (history > 0).to(self.items.weight.dtype).unsqueeze(-1)
        return (self.items(history) * there).sum(1) / there.sum(1).clamp(min=1.0)


def load(weights: Path) -> Recommender:
    """The module in eval mode."""
    module: Recommender = Recommender().eval()
    rules.fill(module, weights)
    return module
