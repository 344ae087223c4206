"""ResNet-18 with seeded weights (`initialize.py`): a model whose time is spent in large convolutions."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

from models import photographs
from models.agreement import agreement
from models.errors import WeightsMissing
from models.made_weights import made
from models.pair import ModelPair, TensorSpec

PACKAGES = ("numpy", "safetensors", "torch", *photographs.PACKAGES)


def pair() -> ModelPair:
    """The pair; it recognizes nothing, so its quality is how far an artifact answers as the source does."""
    return ModelPair(
        name="resnet18",
        summary="ResNet-18 with seeded weights: 8 residual blocks, 1,000 outputs, 11,689,512 parameters",
        source="The architecture of https://arxiv.org/abs/1512.03385; weights made here from a seed (Apache-2.0)",
        inputs=(TensorSpec("image", "float32", ("batch", 3, 224, 224)),),
        outputs=(TensorSpec("logits", "float32", ("batch", 1000)),),
        axes={"batch": (1, 64)},
        weights=_weights,
        torch_module=_torch_module,
        keras_model=_keras_model,
        parity_inputs=photographs.parity_inputs,
        load_inputs=photographs.load_inputs,
        evaluation_inputs=photographs.evaluation_inputs,
        quality=agreement,
    )


def _weights() -> Path:
    from models.fingerprint import digest, versions

    here = Path(__file__)
    files = [here.with_name("initialize.py"), here.with_name("torch_model.py"), Path(photographs.__file__)]
    try:
        packages = versions(PACKAGES)
    except PackageNotFoundError as exc:
        raise WeightsMissing("resnet18", "hand", f"{exc.name} makes them; get it with: make setup") from exc
    return made("resnet18", digest([str(packages)], files), f"{__name__}.initialize")


def _torch_module() -> Any:
    from models.zoo.resnet18.torch_model import load

    return load(_weights())


def _keras_model() -> Any:
    from models.zoo.resnet18.keras_model import load

    return load(_weights())
