"""Makes the weights from a seed: `python -m models.zoo.resnet18.initialize FILE`, some seconds.

Weights as they are drawn let activations fade or grow from layer to layer, and give every image nearly the same logits:
errors then look small beside the outputs, or all artifacts agree on the one best class. So

1. convolutions are drawn by Kaiming's rule (fan out), and each batch norm's scale from U(0.5, 1.5) and shift from
   N(0, 0.2²), so that channels differ as they do in a trained model;
2. the batch norms take their mean and variance from a real batch, `BATCH` photographs of the load test's set;
3. the last layer is drawn from N(0, 1), then scaled and shifted so that over that batch each logit has mean 0 and all
   of them together deviation `SPREAD`, about what trained classifiers have.

Drawn in float32 and computed in float64, so that rounding hides the order in which a machine adds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from models import photographs
from models import weights as rules
from models.zoo.resnet18.torch_model import ResNet18

SEED = 18
BATCH = 16
SPREAD = 2.5


def initialized() -> ResNet18:
    """The module in eval mode, float32."""
    images = torch.from_numpy(photographs.load_images()[:BATCH]).double()
    module = _drawn(torch.Generator().manual_seed(SEED))
    module.double()
    with torch.no_grad():
        module.train()
        module(images)  # each batch norm keeps the mean and the variance of what it sees
        module.eval()
        features = module.features(images)
        module.fc.weight *= SPREAD / _deviation(module.fc(features))
        module.fc.bias.copy_(-module.fc(features).mean(0))
    module.float()
    return module


def _drawn(generator: torch.Generator) -> ResNet18:
    module: ResNet18 = ResNet18()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(layer.bias, 0.0, 0.2, generator=generator)
            layer.momentum = 1.0  # the running statistics are those of the last batch
    nn.init.normal_(module.fc.weight, generator=generator)
    nn.init.zeros_(module.fc.bias)
    return module


def _deviation(logits: torch.Tensor) -> torch.Tensor:
    """Over images and classes, each class's own mean taken off."""
    return (logits - logits.mean(0)).std()


def main(path: Path) -> None:
    """Make the weights and write them."""
    rules.write(path, rules.from_state(initialized().state_dict()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
