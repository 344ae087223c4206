"""Makes the weights from a seed: `python -m models.zoo.recommender.initialize FILE`, a few seconds.

Embeddings as DLRM starts with them are tiny, and every item would be answered with the same probability: any ranking
would be noise, and any error small beside the outputs. So rows of tables are drawn from N(0, 0.5²), layers by
Kaiming's rule with biases from N(0, 0.1²), and the last layer is scaled and shifted until over `calibrating` rows the
logits have deviation `SPREAD` and mean `MEAN`, as of clicks that are few. Drawn in float32, scaled in float64.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from models import weights as rules
from models.zoo.recommender.data import calibrating
from models.zoo.recommender.torch_model import Recommender

SEED = 13
SPREAD, MEAN = 1.5, -2.0


def initialized() -> Recommender:
    """The module in eval mode, float32."""
    module: Recommender = _drawn(torch.Generator().manual_seed(SEED)).double().eval()
    rows = {name: torch.from_numpy(array) for name, array in calibrating().items()}
    rows["dense"] = rows["dense"].double()
    with torch.no_grad():
        module.top3.weight *= SPREAD / module.logit(**rows).std()
        module.top3.bias += MEAN - module.logit(**rows).mean()
    module.float()
    return module


def _drawn(generator: torch.Generator) -> Recommender:
    module: Recommender = Recommender()
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.normal_(layer.bias, 0.0, 0.1, generator=generator)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, 0.0, 0.5, generator=generator)
    return module


def main(path: Path) -> None:
    """Make the weights and write them."""
    rules.write(path, rules.from_state(initialized().state_dict()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
