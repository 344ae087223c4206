"""Text in: words are cut, looked up and averaged inside the model, so that no client needs its tokenizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import tf_module, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, WIDTH = "string_input", 4
WORDS = ("the", "model", "is", "served", "late", "fast", "over", "night", "größer")
WEIGHTS = weights(NAME, {"embedding.weight": (len(WORDS) + 1, WIDTH)})
"""The last row is of every word that is not known."""


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="text as input",
        summary="sentences to words to the mean of their embeddings, all in the graph",
        inputs=(TensorSpec("text", "object", ("batch",)),),
        outputs=(
            TensorSpec("embedding", "float32", ("batch", WIDTH)),
            TensorSpec("longest", "object", ("batch",)),
        ),
        axes={"batch": (1, 64)},
        torch_module=None,
        keras_model=_tensorflow,
        absent={"torch": "a tensor of torch holds no text: it is tokenized outside, and the model begins at token ids"},
        parity_inputs=_inputs,
    )


def _tensorflow() -> Any:
    """A tf.Module: its lookup table is no variable, and a module saves it where it stands."""
    import tensorflow as tf

    rows = tf.lookup.KeyValueTensorInitializer(list(WORDS), np.arange(len(WORDS), dtype=np.int64))
    table = tf.lookup.StaticHashTable(rows, default_value=len(WORDS))

    def answer(self: Any, inputs: Any) -> Any:
        clean = tf.strings.regex_replace(tf.strings.lower(inputs["text"], encoding="utf-8"), r"[[:punct:]]", " ")
        words = tf.strings.split(clean)
        ids = tf.ragged.map_flat_values(self.table.lookup, words)
        found = tf.ragged.map_flat_values(tf.gather, self.held["embedding.weight"], ids)
        length = tf.strings.length(words, unit="UTF8_CHAR")
        longest = tf.argmax(length.to_tensor(), axis=1, output_type=tf.int32)
        return {
            "embedding": tf.reduce_mean(found, axis=1),
            "longest": tf.gather(words.to_tensor(), longest, batch_dims=1),
        }

    return tf_module(WEIGHTS, answer, table=table)


def _inputs() -> list[Tensors]:
    """1, 3, 5 and 8 sentences of 1 to 9 words: capitals, punctuation, an unknown word, and letters of two bytes."""
    sentences = [
        "Fast!",
        "The model is served.",
        "The model, the MODEL: it is late...",
        "Größer is the night",
        "served over night, late over night, the model is fast",
    ]
    texts = [sentence.encode() for sentence in sentences]
    return [
        {"text": np.array(batch, object)} for batch in (texts[:1], texts[3:4], texts[:3], texts, texts + texts[2::-1])
    ]
