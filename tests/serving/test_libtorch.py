"""What is libtorch's own: models that keep state, sizes they were exported for, outputs by name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from serving.reference import runtimes
from serving.reference.artifact import ArtifactError, Tensor, verify
from serving.reference.runtimes import InvalidInput
from tests.serving import tiny
from tests.serving.conftest import Artifacts

NATIVE = pytest.param(
    "aot_inductor", marks=pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ to export with")
)


class Counter(torch.nn.Module):  # type: ignore[misc]
    """Returns a buffer that it writes to in each call, a weight as it is, and the input as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(4))
        self.weight = torch.nn.Parameter(torch.arange(4.0))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        self.count.add_(1)
        return {"count": self.count, "weight": self.weight, "x": x}


def make(form: str, folder: Path, module: torch.nn.Module, outputs: tuple[Tensor, ...]) -> Path:
    entry = "model.pt" if form == "torchscript" else "model.pt2"
    if form == "torchscript":
        torch.jit.script(module).save(str(folder / entry))
    else:
        program = torch.export.export(
            module, (torch.zeros(3, 4),), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=16)},)
        )
        if form == "torch_export":
            torch.export.save(program, folder / entry)
        else:
            tiny.compile_native(program, folder / entry)
    return tiny.seal(folder, form, entry, tiny.INPUTS, outputs)


@pytest.mark.parametrize("form", ["torchscript", "torch_export", NATIVE])
def test_answers_that_are_a_models_own_memory_are_copies(form: str, tmp_path: Path) -> None:
    outputs = (
        Tensor("x", "float32", ("batch", 4)),
        Tensor("weight", "float32", (4,)),
        Tensor("count", "float32", (4,)),
    )
    folder = make(form, tmp_path, Counter(), outputs)
    loaded = runtimes.load("libtorch", folder, verify(folder), 1)
    x = np.ones((2, 4), np.float32)
    answers = [loaded.infer({"x": x}) for _ in range(3)]
    x[:] = 7
    for number, answer in enumerate(answers, 1):
        assert list(answer) == ["x", "weight", "count"]
        np.testing.assert_array_equal(answer["count"], np.full(4, number))
        np.testing.assert_array_equal(answer["x"], np.ones((2, 4)))
        answer["weight"][:] = -1
    np.testing.assert_array_equal(loaded.infer({"x": x})["weight"], np.arange(4))


def test_sizes_that_were_not_exported_are_the_requests_fault(artifacts: Artifacts) -> None:
    loaded = runtimes.load("libtorch", artifacts("torch_export"), verify(artifacts("torch_export")), 1)
    with pytest.raises(InvalidInput, match="input 'x': axis 0 was exported for 1 to 1024, found 1025"):
        loaded.infer({"x": np.zeros((1025, 4), np.float32)})


def test_a_manifest_that_promises_more_than_the_export_fails_at_load(tmp_path: Path) -> None:
    class Half(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x[:, :2]

    folder = make("torch_export", tmp_path, Half(), tiny.OUTPUTS)
    with pytest.raises(ArtifactError, match=r"output 'y' shape \('batch', 4\), the model \(-1, 2\)"):
        runtimes.load("libtorch", folder, verify(folder), 1)


@pytest.mark.parametrize("form", ["torchscript", NATIVE])
def test_an_output_of_another_datatype_is_never_passed_on(form: str, artifacts: Artifacts, tmp_path: Path) -> None:
    folder = shutil.copytree(artifacts(form), tmp_path / "artifact")
    entry = next(folder.glob("model.*")).name
    tiny.seal(folder, form, entry, tiny.INPUTS, (Tensor("y", "int32", ("batch", 4)),))
    loaded = runtimes.load("libtorch", folder, verify(folder), 1)
    with pytest.raises(ArtifactError, match=r"output 'y' should be torch\.int32, the model returns torch\.float32"):
        loaded.infer({"x": np.zeros((1, 4), np.float32)})


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ to export with")
def test_operators_that_were_not_compiled_are_called_all_the_same(tmp_path: Path) -> None:
    class Spectrum(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return torch.fft.rfft(x).abs()

    folder = make("aot_inductor", tmp_path, Spectrum(), (Tensor("y", "float32", ("batch", 3)),))
    loaded = runtimes.load("libtorch", folder, verify(folder), 1)
    x = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    np.testing.assert_allclose(loaded.infer({"x": x})["y"], np.abs(np.fft.rfft(x)), rtol=1e-5, atol=1e-6)


def test_a_format_that_libtorch_does_not_read_is_one_clear_line(artifacts: Artifacts) -> None:
    with pytest.raises(ArtifactError, match="libtorch does not read format 'onnx'; it reads torchscript, "):
        runtimes.load("libtorch", artifacts("onnx"), verify(artifacts("onnx")), 1)


def test_a_package_for_another_processor_is_refused_before_it_crashes(artifacts: Artifacts, tmp_path: Path) -> None:
    import zipfile

    source = artifacts("aot_inductor") / "model.pt2"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(tmp_path / "model.pt2", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b'"x86_64"', b'"riscv"') if name.endswith("metadata.json") else content)
    tiny.seal(tmp_path, "aot_inductor", "model.pt2")
    with pytest.raises(ArtifactError, match=r"compiled for riscv .*, this processor is "):
        runtimes.load("libtorch", tmp_path, verify(tmp_path), 1)
