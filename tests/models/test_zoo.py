"""What every model pair promises, on every pair there is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import zoo
from models.errors import UnknownModel
from models.pair import ModelPair, Tensors, TensorSpec
from models.zoo import digits_cnn
from pipelines import artifacts


@pytest.fixture(params=zoo.names())
def pair(request: pytest.FixtureRequest) -> ModelPair:
    return zoo.load(request.param)


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"^unknown model 'resnet'; known: digits_cnn, .*minilm.*$"):
        zoo.load("resnet")


def test_looking_at_pairs_imports_no_framework() -> None:
    code = (
        "import sys; from models import zoo, weights, cases, fingerprint; [zoo.load(name) for name in zoo.names()];"
        "sys.exit(', '.join({'torch', 'tensorflow', 'keras'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr.strip() == b""


def test_a_plugin_folder_adds_pairs_and_its_files_enter_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(Path(digits_cnn.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    code = "from pipelines import artifacts; print(artifacts.key('mine', 'torch', 'onnx', 'fp32'))"
    command, environment = [sys.executable, "-c", code], os.environ | {zoo.PLUGINS: str(tmp_path)}
    before = subprocess.check_output(command, env=environment)
    (folder / "data.py").write_text((folder / "data.py").read_text() + "# edited\n")
    assert subprocess.check_output(command, env=environment) != before


def test_the_folder_name_is_the_name(pair: ModelPair) -> None:
    assert zoo.load(pair.name) is pair


def test_inputs_are_what_the_pair_says(pair: ModelPair) -> None:
    for cases in (pair.parity_inputs(), pair.load_inputs(), pair.evaluation_inputs()):
        for case in cases:
            _check(pair, pair.inputs, case)


def test_reference_outputs_are_what_the_pair_says(pair: ModelPair) -> None:
    reference = artifacts.reference(pair.name)
    for case in (*reference.parity, *reference.load, *reference.evaluation):
        _check(pair, pair.outputs, case.outputs)


def test_parity_inputs_vary_every_dynamic_axis(pair: ModelPair) -> None:
    assert {1, 3, 8} <= _sizes(pair, "batch")
    for axis in pair.axes:
        assert len(_sizes(pair, axis)) >= 3, axis


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_the_source_is_python_that_torchscript_reads(pair: ModelPair) -> None:
    """A pair fails `torchscript_script` for its architecture or not at all, never for how it is spelled."""
    import torch

    (inputs, *_), source = pair.parity_inputs(), pair.build("torch")
    tensors = [torch.from_numpy(inputs[spec.name]) for spec in pair.inputs]
    with torch.inference_mode():
        torch.testing.assert_close(torch.jit.script(source)(*tensors), source(*tensors))


def test_the_source_and_its_licence_are_on_a_card() -> None:
    for folder in sorted(path.parent for path in Path(zoo.__file__).parent.glob("*/__init__.py")):
        card = (folder / "README.md").read_text()
        assert card.startswith(f"# {folder.name}\n")
        assert "| weights |" in card
        assert "| licence |" in card
        assert "\n## Quality\n" in card


def test_a_load_request_is_one_item(pair: ModelPair) -> None:
    assert all(
        case[spec.name].shape[spec.shape.index("batch")] == 1 for case in pair.load_inputs() for spec in pair.inputs
    )


def test_the_source_has_the_quality_of_itself(pair: ModelPair) -> None:
    outputs = [case.outputs for case in artifacts.reference(pair.name).evaluation]
    for quality in pair.quality(outputs, outputs):
        assert quality.value == quality.reference


@pytest.mark.slow
def test_the_keras_twin_agrees_with_the_torch_source(pair: ModelPair) -> None:
    """On all parity inputs, to 1e-5 of the largest output: the exporting worker compares them."""
    artifact = artifacts.export(pair.name, "tensorflow", "savedmodel", "fp32")
    source, _ = artifacts.verify(artifact, "tensorflow")
    assert source.hop == "source"
    assert source.passed
    assert source.max_rel_error is not None
    assert source.max_rel_error <= 1e-5


def _check(pair: ModelPair, specs: tuple[TensorSpec, ...], tensors: Tensors) -> None:
    assert list(tensors) == [spec.name for spec in specs]
    axes: dict[str, int] = {}
    for spec in specs:
        array = tensors[spec.name]
        assert array.dtype == np.dtype(spec.dtype)
        assert array.ndim == len(spec.shape)
        for size, expected in zip(array.shape, spec.shape, strict=True):
            if isinstance(expected, str):
                low, high = pair.axes[expected]
                assert low <= size <= high
                assert axes.setdefault(expected, size) == size
            else:
                assert size == expected


def _sizes(pair: ModelPair, axis: str) -> set[int]:
    return {
        case[spec.name].shape[index]
        for case in pair.parity_inputs()
        for spec in pair.inputs
        for index, name in enumerate(spec.shape)
        if name == axis
    }
