"""Trains the CNN and writes `weights.safetensors`: `python -m models.zoo.digits_cnn.train [FILE]`, about a minute.

Seeded and on one thread, so the same torch on the same kind of machine writes the same bytes. The number of epochs and
the learning rate were set once and are not tuned on the held-out images, which are only looked at when it is over.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from models import weights as rules
from models.zoo.digits_cnn import WEIGHTS
from models.zoo.digits_cnn.data import held_out, training
from models.zoo.digits_cnn.torch_model import DigitsCnn

SEED = 20
EPOCHS = 40
BATCH = 64
LEARNING_RATE = 3e-3


def train() -> DigitsCnn:
    """A module trained on the training images only, in eval mode."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the order of additions, and so the result, depends on the number of threads
    torch.use_deterministic_algorithms(True)
    images, digits = (torch.from_numpy(array) for array in training())
    module = DigitsCnn()
    optimizer = torch.optim.AdamW(module.parameters(), lr=LEARNING_RATE)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for _ in range(EPOCHS):
        # The last, incomplete batch is dropped: batch norm would weigh its few images like a full one.
        for chosen in torch.randperm(len(images))[: len(images) // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(module(_shifted(images[chosen])), digits[chosen]).backward()
            optimizer.step()
            schedule.step()
    module.eval()
    return module


def _shifted(images: torch.Tensor) -> torch.Tensor:
    """Moved by at most one pixel each way: the only augmentation, because digits are centred only roughly."""
    down, right = (int(torch.randint(0, 3, ())) for _ in range(2))
    return functional.pad(images, (1, 1, 1, 1))[:, :, down : down + 8, right : right + 8]


def main(path: Path) -> None:
    """Train, write the canonical weights, and print the held-out accuracy."""
    module = train()
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    rules.write(path, {name: array for name, array in state.items() if not name.endswith("num_batches_tracked")})
    images, digits = held_out()
    with torch.inference_mode():
        guesses = module(torch.from_numpy(images)).argmax(1).numpy()
    print(f"{path}: held-out accuracy {np.mean(guesses == digits):.4f} on {len(digits)} images")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS)
