"""The source: a plain BERT encoder. Imported only inside functions, because importing it imports torch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

WIDTH, HEADS, LAYERS, FEED_FORWARD = 384, 12, 6, 1536
VOCABULARY, POSITIONS = 30522, 512
NORM_EPSILON = 1e-12


class Attention(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """Multi-head self-attention over (batch, sequence, width); `mask` is True where a token may be attended to."""

    def __init__(self) -> None:
        super().__init__()
        self.split = (HEADS, WIDTH // HEADS)
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.output = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = self._heads(self.query(x)), self._heads(self.key(x)), self._heads(self.value(x))
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.output(attended.transpose(1, 2).flatten(2))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, self.split).transpose(1, 2)


class Layer(nn.Module):  # type: ignore[misc]
    """Attention and feed-forward, each added to its input and then normalized (post-norm, as in BERT)."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.attention_norm = nn.LayerNorm(WIDTH, eps=NORM_EPSILON)
        self.widen, self.narrow = nn.Linear(WIDTH, FEED_FORWARD), nn.Linear(FEED_FORWARD, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=NORM_EPSILON)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.attention_norm(x + self.attention(x, mask))
        return self.norm(x + self.narrow(functional.gelu(self.widen(x))))


class MiniLM(nn.Module):  # type: ignore[misc]
    """input_ids, attention_mask int64 (batch, sequence) → embedding float32 (batch, 384) of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.segment = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=NORM_EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        positions = self.positions.weight[: input_ids.shape[1]]
        x = self.norm(self.words(input_ids) + positions + self.segment)
        attend = attention_mask.to(torch.bool)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, attend)
        weights = attention_mask.to(x.dtype).unsqueeze(-1)
        return functional.normalize((x * weights).sum(1) / weights.sum(1), dim=1)


RENAMED = (
    ("embeddings.word_embeddings", "words"),
    ("embeddings.position_embeddings", "positions"),
    ("embeddings.LayerNorm", "norm"),
    ("encoder.layer.", "layers."),
    ("attention.self.", "attention."),
    ("attention.output.dense", "attention.output"),
    ("attention.output.LayerNorm", "attention_norm"),
    ("intermediate.dense", "widen"),
    ("output.dense", "narrow"),
    ("output.LayerNorm", "norm"),
)


def load(weights: Path) -> MiniLM:
    """The module in eval mode with the canonical weights, whose names are BERT's."""
    from safetensors.torch import load_file

    canonical = load_file(weights)
    module: MiniLM = MiniLM().eval()
    # Every token is of the first segment; the pooler is BERT's own and not part of the sentence encoder.
    state = {"segment": canonical.pop("embeddings.token_type_embeddings.weight")[0]}
    for name, tensor in canonical.items():
        if name != "embeddings.position_ids" and not name.startswith("pooler."):
            state[_renamed(name)] = tensor
    module.load_state_dict(state)
    return module


def _renamed(name: str) -> str:
    """Ours for BERT's name; the attention's own output comes before the layer's, which is a part of its name."""
    for theirs, ours in RENAMED:
        name = name.replace(theirs, ours)
    return name
