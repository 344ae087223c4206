"""The twin: imported only inside functions, because importing it imports tensorflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from models import weights as rules

NORM_EPSILON = 1e-5  # torch's default; Keras's own is 1e-3


def load(weights: Path) -> keras.Model:
    """A functional model {image: (batch, 1, 8, 8)} → {logits: (batch, 10)}, float32, NHWC inside."""
    canonical = rules.read(weights)
    image = keras.Input((1, 8, 8), name="image", dtype="float32")
    x = layers.Permute((2, 3, 1))(image)
    for index, channels in ((1, 32), (2, 64), (3, 64)):
        conv = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"conv{index}")
        norm = layers.BatchNormalization(epsilon=NORM_EPSILON, name=f"norm{index}")
        x = layers.ReLU()(norm(conv(x)))
        conv.set_weights(rules.conv2d(canonical, f"conv{index}"))
        norm.set_weights(rules.batch_norm(canonical, f"norm{index}"))
        if index > 1:
            x = layers.MaxPooling2D(2)(x)
    hidden, head = layers.Dense(64, activation="relu", name="hidden"), layers.Dense(10, name="head")
    logits: Any = head(hidden(layers.Flatten()(x)))
    hidden.set_weights(rules.dense_after_flatten(canonical, "hidden", channels=64, height=2, width=2))
    head.set_weights(rules.dense(canonical, "head"))
    return keras.Model({"image": image}, {"logits": logits}, name="digits_cnn")
