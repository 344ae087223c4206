"""The twin: imported only inside functions, because importing it imports tensorflow.

Not `keras.applications.MobileNetV2`, whose padding and epsilon are others, so that the same weights answer otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from models import weights as rules
from models.keras_convolution import convolution, head

# By stage: how many blocks, and the stride of the first; the canonical weights' shapes say the rest.
STAGES = ((1, 1), (2, 2), (3, 2), (4, 2), (3, 1), (3, 2), (1, 1))


def load(weights: Path) -> keras.Model:
    """A functional model {image: (batch, 3, 224, 224)} → {logits: (batch, 1000)}, float32, NHWC inside."""
    canonical = rules.read(weights)
    image = keras.Input((3, 224, 224), name="image", dtype="float32")
    x = layers.Permute((2, 3, 1))(image)
    x = layers.ReLU(6.0)(convolution(x, canonical, "features.0.0", "features.0.1", stride=2))
    strides = [stride if block == 0 else 1 for blocks, stride in STAGES for block in range(blocks)]
    for index, stride in enumerate(strides, start=1):
        x = _inverted_residual(x, canonical, f"features.{index}.conv", stride)
    last = len(strides) + 1
    x = layers.ReLU(6.0)(convolution(x, canonical, f"features.{last}.0", f"features.{last}.1"))
    return keras.Model({"image": image}, {"logits": head(x, canonical, "classifier.1")}, name="mobilenet_v2")


def _inverted_residual(x: Any, canonical: rules.Weights, prefix: str, stride: int) -> Any:
    """One block; only the first one of all does not widen, and so has a convolution less."""
    inside, depthwise = x, 0
    if f"{prefix}.3.weight" in canonical:
        inside, depthwise = layers.ReLU(6.0)(convolution(x, canonical, f"{prefix}.0.0", f"{prefix}.0.1")), 1
    filtered = convolution(inside, canonical, f"{prefix}.{depthwise}.0", f"{prefix}.{depthwise}.1", stride)
    narrow = f"{prefix}.{depthwise + 1}", f"{prefix}.{depthwise + 2}"
    out = convolution(layers.ReLU(6.0)(filtered), canonical, *narrow)
    return layers.Add()([x, out]) if stride == 1 and x.shape[-1] == out.shape[-1] else out
