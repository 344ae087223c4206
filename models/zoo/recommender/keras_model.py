"""The twin: imported only inside functions, because importing it imports tensorflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from models import weights as rules

FEATURES, WIDTH, VECTORS = 13, 32, 5


class Pooled(layers.Layer):  # type: ignore[misc]  # keras is not followed by mypy
    """Mean of the items that are there (id above 0): rows (batch, history, 32), ids (batch, history) → (batch, 32)."""

    def call(self, rows: Any, ids: Any) -> Any:
        there = ops.expand_dims(ops.cast(ids > 0, "float32"), -1)
        return ops.sum(rows * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1.0)


class Crossed(layers.Layer):  # type: ignore[misc]
    """The first vector, then the dot product of each pair: 5 of (batch, 32) → (batch, 42)."""

    def call(self, vectors: Any) -> Any:
        stacked = ops.stack(vectors, axis=1)
        products = ops.matmul(stacked, ops.transpose(stacked, (0, 2, 1)))
        first, second = np.tril_indices(VECTORS, -1)
        flat = ops.reshape(products, (-1, VECTORS * VECTORS))
        pairs = ops.take(flat, (first * VECTORS + second).astype(np.int32), axis=1)
        return ops.concatenate((vectors[0], pairs), axis=1)


def load(weights: Path) -> keras.Model:
    """A functional model {dense, user, item, category, history} → {click_probability: float32 (batch,)}."""
    canonical = rules.read(weights)
    dense = keras.Input((FEATURES,), name="dense", dtype="float32")
    user, item, category = (keras.Input((), name=name, dtype="int64") for name in ("user", "item", "category"))
    history = keras.Input((None,), name="history", dtype="int64")
    bottom = _dense(_dense(dense, canonical, "bottom1"), canonical, "bottom2")
    users, items, categories = (_table(canonical, name) for name in ("users", "items", "categories"))
    pooled = Pooled(name="pooled")(items(history), history)
    x = Crossed(name="crossed")([bottom, users(user), items(item), categories(category), pooled])
    x = _dense(_dense(x, canonical, "top1"), canonical, "top2")
    probability = layers.Reshape(())(_dense(x, canonical, "top3", "sigmoid"))
    return keras.Model(
        {"dense": dense, "user": user, "item": item, "category": category, "history": history},
        {"click_probability": probability},
        name="recommender",
    )


def _dense(x: Any, canonical: rules.Weights, name: str, activation: str = "relu") -> Any:
    kernel, bias = rules.dense(canonical, name)
    layer = layers.Dense(len(bias), activation=activation, name=name)
    layer.build((None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer(x)


def _table(canonical: rules.Weights, name: str) -> Any:
    (rows,) = rules.embedding(canonical, name)
    layer = layers.Embedding(len(rows), WIDTH, name=name)
    layer.build()
    layer.set_weights([rows])
    return layer
