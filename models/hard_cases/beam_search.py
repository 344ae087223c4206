"""Beam search over a small language model: a loop of fixed length whose rows change places at every step."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import fill, generator, normal, tf_module, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, WIDTH, WORDS, BEAMS, STEPS = "beam_search", 6, 9, 3, 5
WEIGHTS = weights(
    NAME,
    {
        "embedding.weight": (WORDS, WIDTH),
        "recurrent.weight": (WIDTH, 2 * WIDTH),
        "words.weight": (WORDS, WIDTH),
    },
)
WEIGHTS["words.weight"] *= 3  # words far apart: no two beams are so close that arithmetic would choose


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="beam search",
        summary=f"{STEPS} steps of {BEAMS} beams, each gathering its states by the ranks of the step before",
        inputs=(TensorSpec("state", "float32", ("batch", WIDTH)),),
        outputs=(
            TensorSpec("words", "int64", ("batch", BEAMS, STEPS)),
            TensorSpec("scores", "float32", ("batch", BEAMS)),
        ),
        axes={"batch": (1, 16)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Beams(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.beams, self.steps, self.known = BEAMS, STEPS, WORDS
            self.embedding = torch.nn.Embedding(WORDS, WIDTH)
            self.recurrent = torch.nn.Linear(2 * WIDTH, WIDTH, bias=False)
            self.words = torch.nn.Linear(WIDTH, WORDS, bias=False)

        def forward(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            batch = state.shape[0]
            scores, first = torch.log_softmax(self.words(state), dim=-1).topk(self.beams)
            words = first.unsqueeze(-1)
            states = state.unsqueeze(1).expand(-1, self.beams, -1)
            for _ in range(self.steps - 1):
                states = torch.tanh(self.recurrent(torch.cat([states, self.embedding(words[:, :, -1])], dim=-1)))
                following = scores.unsqueeze(-1) + torch.log_softmax(self.words(states), dim=-1)
                scores, flat = following.reshape(batch, -1).topk(self.beams)
                beam = torch.div(flat, self.known, rounding_mode="floor")
                states = states.gather(1, beam.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
                words = words.gather(1, beam.unsqueeze(-1).expand(-1, -1, words.shape[-1]))
                words = torch.cat([words, (flat % self.known).unsqueeze(-1)], dim=-1)
            return words, scores

    return fill(Beams(), WEIGHTS)


def _tensorflow() -> Any:
    import tensorflow as tf

    def step(self: Any, states: Any, words: Any, scores: Any) -> Any:
        joined = tf.concat([states, tf.gather(self.held["embedding.weight"], words[:, :, -1])], axis=-1)
        states = tf.tanh(tf.einsum("bij,kj->bik", joined, self.held["recurrent.weight"]))
        logits = tf.einsum("bij,kj->bik", states, self.held["words.weight"])
        following = tf.expand_dims(scores, -1) + tf.nn.log_softmax(logits)
        scores, flat = tf.math.top_k(tf.reshape(following, (-1, BEAMS * WORDS)), BEAMS)
        beam = flat // WORDS
        states, words = tf.gather(states, beam, batch_dims=1), tf.gather(words, beam, batch_dims=1)
        return states, tf.concat([words, tf.expand_dims(flat % WORDS, -1)], axis=-1), scores

    def answer(self: Any, inputs: Any) -> Any:
        logits = tf.matmul(inputs["state"], self.held["words.weight"], transpose_b=True)
        scores, first = tf.math.top_k(tf.nn.log_softmax(logits), BEAMS)
        states, words = tf.repeat(tf.expand_dims(inputs["state"], 1), BEAMS, axis=1), tf.expand_dims(first, -1)
        for _ in range(STEPS - 1):
            states, words, scores = step(self, states, words, scores)
        return {"words": tf.cast(words, tf.int64), "scores": scores}

    return tf_module(WEIGHTS, answer)


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8."""
    numbers = generator(NAME)
    return [{"state": normal(numbers, batch, WIDTH)} for batch in (1, 3, 8)]
