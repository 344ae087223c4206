"""Chunks of speech-like streams, each with the state that its stream has by then."""

from __future__ import annotations

from functools import cache

import numpy as np

from models import weights as rules
from models.pair import Tensors
from models.zoo.silero_vad.numpy_model import step
from models.zoo.silero_vad.package import weights
from models.zoo.silero_vad.speech import utterance

CONTEXT, CHUNK = 64, 512  # samples
STREAMS = 8
STEPS = 96  # chunks of a stream: 3.1 s
LOAD_SEED, EVALUATION_SEED = 100, 200
LOAD_STEPS = range(1, STEPS, 12)


def parity_inputs() -> list[Tensors]:
    """1, 3 and 8 streams, fresh ones (state 0) and ones under way, and digital silence."""
    steps = _streams(LOAD_SEED)
    chosen = [_some(steps[at], size) for at, size in ((0, 1), (0, 8), (20, 1), (33, 3), (60, 8))]
    silence = {"audio": np.zeros_like(chosen[2]["audio"]), "state": chosen[2]["state"]}
    return [*chosen, silence]


def load_inputs() -> list[Tensors]:
    """64 requests of one chunk: 8 steps of each of 8 streams; neighbours are of different streams."""
    steps = _streams(LOAD_SEED)
    return [_one(steps[at], stream) for at in LOAD_STEPS for stream in range(STREAMS)]


def evaluation_inputs() -> list[Tensors]:
    """8 streams that the load test has nothing of, chunk by chunk: 96 batches of 8."""
    return list(_streams(EVALUATION_SEED))


@cache
def _streams(seed: int) -> tuple[Tensors, ...]:
    """By step: audio (8, 576), and the states (2, 8, 128) that the steps before have left."""
    canonical = rules.read(weights())
    voices = np.stack([utterance(seed + stream, STEPS * CHUNK) for stream in range(STREAMS)])
    padded = np.pad(voices, ((0, 0), (CONTEXT, 0)))
    state, steps = np.zeros((2, STREAMS, 128), np.float32), []
    for first in range(0, STEPS * CHUNK, CHUNK):
        audio = np.ascontiguousarray(padded[:, first : first + CONTEXT + CHUNK])
        steps.append({"audio": audio, "state": state})
        _, state = step(canonical, audio, state)
    return tuple(steps)


def _some(batch: Tensors, size: int) -> Tensors:
    return {"audio": batch["audio"][:size], "state": np.ascontiguousarray(batch["state"][:, :size])}


def _one(batch: Tensors, stream: int) -> Tensors:
    return {
        "audio": batch["audio"][stream : stream + 1],
        "state": np.ascontiguousarray(batch["state"][:, stream : stream + 1]),
    }
