"""Silero VAD with its real weights: says of 32 ms of audio whether somebody speaks, and keeps a state between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.pair import ModelPair, Quality, Tensors, TensorSpec
from models.zoo.silero_vad import package

PACKAGES = (package.PUBLISHED.package, "numpy", "safetensors", "scipy", "torch")

STATE = (2, "batch", 128)


def pair() -> ModelPair:
    """The pair at 16 kHz; whoever asks keeps the state of a stream and sends it with the next chunk."""
    return ModelPair(
        name="silero_vad",
        summary="Silero VAD, 16 kHz: Fourier basis, 4 convolutions, LSTM cell with its state in and out, "
        "309,633 parameters",
        source="snakers4/silero-vad (MIT), as the package silero-vad ships it",
        inputs=(TensorSpec("audio", "float32", ("batch", 576)), TensorSpec("state", "float32", STATE)),
        outputs=(TensorSpec("probability", "float32", ("batch", 1)), TensorSpec("new_state", "float32", STATE)),
        axes={"batch": (1, 64)},
        weights=package.weights,
        torch_module=_torch_module,
        keras_model=_keras_model,
        parity_inputs=_parity_inputs,
        load_inputs=_load_inputs,
        evaluation_inputs=_evaluation_inputs,
        quality=_quality,
    )


def _torch_module() -> Any:
    from models.zoo.silero_vad.torch_model import load

    return load(package.weights())


def _keras_model() -> Any:
    from models.zoo.silero_vad.keras_model import load

    return load(package.weights())


def _parity_inputs() -> Sequence[Tensors]:
    from models.zoo.silero_vad.data import parity_inputs

    return parity_inputs()


def _load_inputs() -> Sequence[Tensors]:
    from models.zoo.silero_vad.data import load_inputs

    return load_inputs()


def _evaluation_inputs() -> Sequence[Tensors]:
    from models.zoo.silero_vad.data import evaluation_inputs

    return evaluation_inputs()


def _quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    from models.zoo.silero_vad.quality import quality

    return quality(outputs, reference)
