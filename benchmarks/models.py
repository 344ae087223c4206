"""The models that are served: built once from seeded weights, exported to ONNX, cached as artifacts."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from serving.engines import fingerprint
from serving.reference.artifact import Manifest, Tensor, digests, write

SEED = 20
ENTRY = "model.onnx"
INPUT, OUTPUT = "x", "y"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Model:
    """One cached artifact with float32 input `x` and output `y`, both with a dynamic first axis."""

    name: str
    folder: Path
    shape: tuple[int, ...]
    """Of one item of the input, without the batch axis."""

    @property
    def path(self) -> Path:
        return self.folder / ENTRY

    @property
    def served_name(self) -> str:
        return f"{self.name}-torch-onnx-fp32"

    @cached_property
    def sample(self) -> Array:
        """The one request that every server gets: float32 in [0, 1), batch 1."""
        return np.random.default_rng(SEED).random((1, *self.shape), dtype=np.float32)

    @cached_property
    def expected(self) -> Array:
        """What ONNX Runtime computes for it in process."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(self.path), providers=["CPUExecutionProvider"])
        output: Array = session.run([OUTPUT], {INPUT: self.sample})[0]
        return output


def _mlp() -> Any:
    """64 → 64 → 10: the runtime needs microseconds for it, so that what is seen is the server."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def _image() -> Any:
    """Global average pooling: the cheapest model that has to read the whole image."""
    from torch import nn

    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8))


def _resnet18() -> Any:
    from benchmarks.resnet import resnet18

    return resnet18()


def _wide_mlp() -> Any:
    """25 MB of weights, read from memory once a batch: batching pays here."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(1024, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10)
    )  # fmt: skip


_MAKERS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "mlp": (_mlp, (64,)),
    "image": (_image, (3, 224, 224)),
    "resnet18": (_resnet18, (3, 224, 224)),
    "wide_mlp": (_wide_mlp, (1024,)),
}


def load(name: str, cache: Path) -> Model:
    """The model from the cache, made where it is not there."""
    _, shape = _MAKERS[name]
    identity = fingerprint.of(Path(__file__).parent / "resnet.py", Path(__file__), importlib.metadata.version("torch"))
    folder = cache / "benchmarks" / "models" / f"{name}-{identity}"
    if not folder.is_dir():
        building = folder.with_suffix(".building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        # In a process of its own: torch warns a lot while it exports, and would stay in this one's memory.
        command = [sys.executable, "-m", "benchmarks.models", name, str(building)]
        subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
        building.rename(folder)
    return Model(name, folder, shape)


def export(name: str, folder: Path) -> None:
    """Make the model's ONNX file and manifest in an empty folder."""
    import torch

    maker, shape = _MAKERS[name]
    torch.manual_seed(SEED)
    program = torch.onnx.export(
        maker().eval(),
        (torch.rand(2, *shape),),  # not 1: torch.export takes 1 for a constant to specialize on
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
        input_names=[INPUT],
        output_names=[OUTPUT],
        verbose=False,
    )
    program.save(folder / ENTRY, external_data=False)
    items = program.model.graph.outputs[0].shape[1]
    write(
        folder,
        Manifest(
            model=name,
            framework="torch",
            format="onnx",
            variant="fp32",
            entry=ENTRY,
            inputs=(Tensor(INPUT, "float32", ("batch", *shape)),),
            outputs=(Tensor(OUTPUT, "float32", ("batch", int(items))),),
            files=digests(folder),
            versions={"torch": torch.__version__},
            export_s=0.0,
        ),
    )


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]))
