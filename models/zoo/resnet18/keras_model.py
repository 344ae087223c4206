"""The twin: imported only inside functions, because importing it imports tensorflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from models import weights as rules
from models.keras_convolution import convolution, head

STRIDES = (1, 2, 2, 2)  # of the first block of each stage; the canonical weights' shapes say the rest


def load(weights: Path) -> keras.Model:
    """A functional model {image: (batch, 3, 224, 224)} → {logits: (batch, 1000)}, float32, NHWC inside."""
    canonical = rules.read(weights)
    image = keras.Input((3, 224, 224), name="image", dtype="float32")
    x = layers.Permute((2, 3, 1))(image)
    x = layers.ReLU()(convolution(x, canonical, "conv1", "bn1", stride=2))
    # torch pads with -inf; after the ReLU nothing is below 0, so zeros never win either.
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for stage, stride in enumerate(STRIDES, start=1):
        x = _block(x, canonical, f"layer{stage}.0", stride)
        x = _block(x, canonical, f"layer{stage}.1", 1)
    return keras.Model({"image": image}, {"logits": head(x, canonical, "fc")}, name="resnet18")


def _block(x: Any, canonical: rules.Weights, prefix: str, stride: int) -> Any:
    inside = layers.ReLU()(convolution(x, canonical, f"{prefix}.conv1", f"{prefix}.bn1", stride))
    inside = convolution(inside, canonical, f"{prefix}.conv2", f"{prefix}.bn2")
    if f"{prefix}.downsample.0.weight" in canonical:
        x = convolution(x, canonical, f"{prefix}.downsample.0", f"{prefix}.downsample.1", stride)
    return layers.ReLU()(layers.Add()([inside, x]))
