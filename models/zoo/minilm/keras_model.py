"""The twin: Keras layers only. Imported only inside functions, because importing it imports tensorflow.

Axes are added by `expand_dims`: TFLite has no built-in operator for `x[:, None]` of a tensor with two dynamic axes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from models import weights as rules

WIDTH, HEADS, LAYERS, FEED_FORWARD = 384, 12, 6, 1536
VOCABULARY, POSITIONS = 30522, 512
NORM_EPSILON = 1e-12  # Keras's own is 1e-3
NOT_ATTENDED = -1e9  # added to a score it makes the softmax exactly 0 in float32, without the NaN that -inf can give


class Embeddings(layers.Layer):  # type: ignore[misc]  # keras is not followed by mypy
    """Word, position and segment embeddings: (batch, sequence) → (batch, sequence, width)."""

    def __init__(self, canonical: rules.Weights) -> None:
        super().__init__(name="embeddings")
        self.words = layers.Embedding(VOCABULARY, WIDTH)
        self.positions = self.add_weight(shape=(POSITIONS, WIDTH), name="positions")
        self.words.build()
        self.words.set_weights(rules.embedding(canonical, "embeddings.word_embeddings"))
        # Every token is of the first segment, so its row is a constant that can be added to the positions.
        (positions,) = rules.embedding(canonical, "embeddings.position_embeddings")
        self.positions.assign(positions + canonical["embeddings.token_type_embeddings.weight"][0])

    def call(self, input_ids: Any) -> Any:
        return self.words(input_ids) + self.positions[: ops.shape(input_ids)[1]]


class AttentionBias(layers.Layer):  # type: ignore[misc]
    """What is added to the scores: mask (batch, sequence) 1 or 0 → (batch, 1, 1, sequence) 0 or `NOT_ATTENDED`."""

    def call(self, mask: Any) -> Any:
        return ops.expand_dims(1.0 - mask, (1, 2)) * NOT_ATTENDED


class SelfAttention(layers.Layer):  # type: ignore[misc]
    """Multi-head self-attention over (batch, sequence, width); `bias` (batch, 1, 1, sequence) joins the scores."""

    def __init__(self, canonical: rules.Weights, prefix: str) -> None:
        super().__init__(name=prefix.replace(".", "_"))
        self.query, self.key, self.value = (
            _dense(canonical, f"{prefix}.self.{part}", WIDTH, WIDTH) for part in ("query", "key", "value")
        )
        self.joined = _dense(canonical, f"{prefix}.output.dense", WIDTH, WIDTH)

    def call(self, x: Any, bias: Any) -> Any:
        query, key, value = (self._heads(part(x)) for part in (self.query, self.key, self.value))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * (WIDTH // HEADS) ** -0.5
        attended = ops.matmul(ops.softmax(scores + bias), value)
        return self.joined(ops.reshape(ops.transpose(attended, (0, 2, 1, 3)), (-1, ops.shape(x)[1], WIDTH)))

    @staticmethod
    def _heads(x: Any) -> Any:
        return ops.transpose(ops.reshape(x, (-1, ops.shape(x)[1], HEADS, WIDTH // HEADS)), (0, 2, 1, 3))


class Pooling(layers.Layer):  # type: ignore[misc]
    """Mean over the tokens of the mask, at unit length: (batch, sequence, width) → (batch, width)."""

    def call(self, x: Any, mask: Any) -> Any:
        mean = ops.sum(x * ops.expand_dims(mask, -1), axis=1) / ops.sum(mask, axis=1, keepdims=True)
        return mean / ops.sqrt(ops.sum(ops.square(mean), axis=1, keepdims=True))


def load(weights: Path) -> keras.Model:
    """A functional model {input_ids, attention_mask: int64 (batch, sequence)} → {embedding: float32 (batch, 384)}."""
    canonical = rules.read(weights)
    input_ids = keras.Input((None,), name="input_ids", dtype="int64")
    attention_mask = keras.Input((None,), name="attention_mask", dtype="int64")
    mask = ops.cast(attention_mask, "float32")
    bias = AttentionBias()(mask)
    x = _norm(canonical, "embeddings.LayerNorm")(Embeddings(canonical)(input_ids))
    for index in range(LAYERS):
        prefix = f"encoder.layer.{index}"
        attended = SelfAttention(canonical, f"{prefix}.attention")(x, bias)
        x = _norm(canonical, f"{prefix}.attention.output.LayerNorm")(x + attended)
        wide = _dense(canonical, f"{prefix}.intermediate.dense", WIDTH, FEED_FORWARD, activation="gelu")(x)
        narrow = _dense(canonical, f"{prefix}.output.dense", FEED_FORWARD, WIDTH)(wide)
        x = _norm(canonical, f"{prefix}.output.LayerNorm")(x + narrow)
    return keras.Model(
        {"input_ids": input_ids, "attention_mask": attention_mask}, {"embedding": Pooling()(x, mask)}, name="minilm"
    )


def _dense(canonical: rules.Weights, prefix: str, inputs: int, outputs: int, activation: str | None = None) -> Any:
    # "gelu" is the exact one, with erf, in Keras as in torch.
    layer = layers.Dense(outputs, activation=activation, name=prefix.replace(".", "_"))
    layer.build((None, None, inputs))
    layer.set_weights(rules.dense(canonical, prefix))
    return layer


def _norm(canonical: rules.Weights, prefix: str) -> Any:
    layer = layers.LayerNormalization(epsilon=NORM_EPSILON, name=prefix.replace(".", "_"))
    layer.build((None, None, WIDTH))
    layer.set_weights(rules.layer_norm(canonical, prefix))
    return layer
