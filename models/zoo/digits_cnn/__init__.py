"""A small CNN trained on scikit-learn's bundled handwritten digits (`train.py`), judged on images it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import WeightsMissing
from models.pair import ModelPair, Quality, Tensors, TensorSpec

PACKAGES = ("numpy", "safetensors", "scikit-learn", "torch")

WEIGHTS = Path(__file__).with_name("weights.safetensors")
EVALUATION_BATCH = 8


def pair() -> ModelPair:
    """The pair; see `train.py` for the split and the training."""
    return ModelPair(
        name="digits_cnn",
        summary="CNN (3 conv + batch norm + ReLU, 2 dense) on 8×8 handwritten digits, 73,002 parameters",
        source="Trained here on scikit-learn's bundled digits (UCI optdigits test set, CC BY 4.0)",
        inputs=(TensorSpec("image", "float32", ("batch", 1, 8, 8)),),
        outputs=(TensorSpec("logits", "float32", ("batch", 10)),),
        axes={"batch": (1, 1024)},
        weights=_weights,
        torch_module=_torch_module,
        keras_model=_keras_model,
        parity_inputs=_parity_inputs,
        load_inputs=_load_inputs,
        evaluation_inputs=_evaluation_inputs,
        quality=_quality,
    )


def _weights() -> Path:
    if not WEIGHTS.is_file():
        raise WeightsMissing("digits_cnn", WEIGHTS.name, "make them with: python -m models.zoo.digits_cnn.train")
    return WEIGHTS


def _torch_module() -> Any:
    from models.zoo.digits_cnn.torch_model import load

    return load(_weights())


def _keras_model() -> Any:
    from models.zoo.digits_cnn.keras_model import load

    return load(_weights())


def _held_out() -> tuple[np.ndarray, np.ndarray]:
    from models.zoo.digits_cnn.data import held_out

    return held_out()


def _parity_inputs() -> Sequence[Tensors]:
    images, _ = _held_out()
    return [{"image": images[start : start + batch]} for start, batch in ((0, 1), (1, 3), (4, 8), (12, 17))]


def _load_inputs() -> Sequence[Tensors]:
    images, _ = _held_out()
    return [{"image": images[index : index + 1]} for index in range(64)]


def _evaluation_inputs() -> Sequence[Tensors]:
    images, _ = _held_out()
    return [{"image": images[start : start + EVALUATION_BATCH]} for start in range(0, len(images), EVALUATION_BATCH)]


def _quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    """Held-out accuracy: the share of images whose largest logit is the true digit's."""
    return (Quality("accuracy", _accuracy(outputs), _accuracy(reference)),)


def _accuracy(outputs: Sequence[Tensors]) -> float:
    _, digits = _held_out()
    guesses = np.concatenate([batch["logits"].argmax(axis=1) for batch in outputs])
    if guesses.shape != digits.shape:
        raise ValueError(f"digits_cnn: expected outputs for {len(digits)} held-out images, found {len(guesses)}")
    return float(np.mean(guesses == digits))
