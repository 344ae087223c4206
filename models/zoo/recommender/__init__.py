"""A recommender of DLRM's kind with seeded weights (`initialize.py`): large tables, and little to compute."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

from models.errors import WeightsMissing
from models.made_weights import made
from models.pair import ModelPair, Quality, Tensors, TensorSpec

PACKAGES = ("numpy", "safetensors", "torch")


def pair() -> ModelPair:
    """The pair; it knows nobody's taste, so its quality is how far an artifact ranks as the source does."""
    return ModelPair(
        name="recommender",
        summary="DLRM-style recommender with seeded weights: 3 tables, pooled history, 3,239,841 parameters",
        source="The architecture of https://arxiv.org/abs/1906.00091; weights made here from a seed (Apache-2.0)",
        inputs=(
            TensorSpec("dense", "float32", ("batch", 13)),
            TensorSpec("user", "int64", ("batch",)),
            TensorSpec("item", "int64", ("batch",)),
            TensorSpec("category", "int64", ("batch",)),
            TensorSpec("history", "int64", ("batch", "history")),
        ),
        outputs=(TensorSpec("click_probability", "float32", ("batch",)),),
        axes={"batch": (1, 1024), "history": (1, 50)},
        weights=_weights,
        torch_module=_torch_module,
        keras_model=_keras_model,
        parity_inputs=_parity_inputs,
        load_inputs=_load_inputs,
        evaluation_inputs=_evaluation_inputs,
        quality=_quality,
    )


def _weights() -> Path:
    from models.fingerprint import digest, versions

    here = Path(__file__)
    files = [here.with_name(name) for name in ("initialize.py", "torch_model.py", "data.py")]
    try:
        packages = versions(PACKAGES)
    except PackageNotFoundError as exc:
        raise WeightsMissing("recommender", "hand", f"{exc.name} makes them; get it with: make setup") from exc
    return made("recommender", digest([str(packages)], files), f"{__name__}.initialize")


def _torch_module() -> Any:
    from models.zoo.recommender.torch_model import load

    return load(_weights())


def _keras_model() -> Any:
    from models.zoo.recommender.keras_model import load

    return load(_weights())


def _parity_inputs() -> Sequence[Tensors]:
    from models.zoo.recommender.data import parity_inputs

    return parity_inputs()


def _load_inputs() -> Sequence[Tensors]:
    from models.zoo.recommender.data import load_inputs

    return load_inputs()


def _evaluation_inputs() -> Sequence[Tensors]:
    from models.zoo.recommender.data import evaluation_inputs

    return evaluation_inputs()


def _quality(outputs: Sequence[Tensors], reference: Sequence[Tensors]) -> tuple[Quality, ...]:
    from models.zoo.recommender.quality import quality

    return quality(outputs, reference)
