"""What every hard case promises, on every case there is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models import cases, hard_cases
from models.errors import NoEquivalent, UnknownModel
from models.pair import HardCase, Tensors, TensorSpec
from pipelines.parity import compare

ROOT = Path(__file__).parents[2]
TINY = 0.1
"""Of a float output the largest value over all cases is more than this: an error of 1e-5 of it is one that shows."""


@pytest.fixture(params=hard_cases.names())
def case(request: pytest.FixtureRequest) -> HardCase:
    return hard_cases.load(request.param)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all answers, by case and framework."""
    folder = tmp_path_factory.mktemp("answers")
    subprocess.run([sys.executable, "-m", "tests.models.answering", str(folder)], cwd=ROOT, check=True)
    return folder


def test_there_are_enough_of_them() -> None:
    assert len(hard_cases.names()) >= 24


def test_looking_at_cases_imports_no_framework() -> None:
    code = (
        "import sys; from models import hard_cases;"
        "[hard_cases.load(name).parity_inputs() for name in hard_cases.names()];"
        "sys.exit(', '.join({'torch', 'tensorflow', 'keras'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr.strip() == b""


def test_an_unknown_case_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"^unknown model 'tea'; known: .*data_dependent_loop.*$"):
        hard_cases.load("tea")


def test_a_plugin_folder_adds_cases(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from models.hard_cases.fft import case\n")
    code = "from models import hard_cases; print(hard_cases.load('mine').feature)"
    environment = os.environ | {hard_cases.PLUGINS: str(tmp_path)}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment).strip() == b"fast Fourier transform"


def test_the_file_name_is_the_name(case: HardCase) -> None:
    assert hard_cases.load(case.name) is case


def test_features_are_told_apart() -> None:
    features = [hard_cases.load(name).feature for name in hard_cases.names()]
    assert len(set(features)) == len(features)
    assert all(features)


def test_an_absent_framework_has_a_reason_and_only_that(case: HardCase) -> None:
    assert case.frameworks
    assert set(case.absent) == {"torch", "tensorflow"} - set(case.frameworks)
    for framework, reason in case.absent.items():
        assert len(reason) > 20
        with pytest.raises(NoEquivalent, match=framework):
            case.build(framework)


def test_inputs_are_what_the_case_says(case: HardCase) -> None:
    for inputs in case.parity_inputs():
        _check(case, case.inputs, inputs, {})


def test_inputs_are_the_same_each_time(case: HardCase) -> None:
    for first, second in zip(case.parity_inputs(), case.parity_inputs(), strict=True):
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])


def test_parity_inputs_vary_every_dynamic_axis(case: HardCase) -> None:
    for axis in {axis for spec in case.inputs for axis in spec.shape if isinstance(axis, str)}:
        found = [_sizes(case.inputs, inputs)[axis] for inputs in case.parity_inputs()]
        assert len(set(found)) >= 3, axis
        assert min(found) == case.axes[axis][0], f"{axis}: its smallest size is not tried"
        assert axis != "batch" or {1, 8} <= set(found)


def test_of_several_dynamic_axes_each_varies_alone(case: HardCase) -> None:
    """From the first input's sizes: a loss of one axis shows on its own, and is not taken for that of another."""
    first, *others = (_sizes(case.inputs, inputs) for inputs in case.parity_inputs())
    alone = [changed for sizes in others if len(changed := {axis for axis in first if sizes[axis] != first[axis]}) == 1]
    for axis in first:
        assert {axis} in alone, axis


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", ["bfloat16", "transposed_convolution"])
def test_a_case_whose_feature_torchscript_has_is_python_that_it_reads(name: str) -> None:
    import torch

    found = hard_cases.load(name)
    scripted = {argument.name for argument in torch.jit.script(found.build("torch")).forward.schema.arguments}
    assert scripted == {"self", *(spec.name for spec in found.inputs)}


def test_axes_are_those_that_tensors_name(case: HardCase) -> None:
    assert set(case.axes) == {
        axis for spec in (*case.inputs, *case.outputs) for axis in spec.shape if isinstance(axis, str)
    }


@pytest.mark.slow
def test_answers_are_what_the_case_says(case: HardCase, answered: Path) -> None:
    for framework in case.frameworks:
        found = cases.load(answered / f"{case.name}-{framework}.npz")
        assert len(found) == len(case.parity_inputs())
        for each in found:
            _check(case, case.outputs, each.outputs, _sizes(case.inputs, each.inputs))


@pytest.mark.slow
def test_inputs_are_left_as_they_were(case: HardCase, answered: Path) -> None:
    """Tensors share memory with the arrays they are made from: a module that writes to its inputs would show here."""
    for framework in case.frameworks:
        found = cases.load(answered / f"{case.name}-{framework}.npz")
        for each, inputs in zip(found, case.parity_inputs(), strict=True):
            for name, array in inputs.items():
                np.testing.assert_array_equal(each.inputs[name], array)


@pytest.mark.slow
def test_a_wrong_answer_would_show(case: HardCase, answered: Path) -> None:
    """Outputs are not tiny, and none is the same whatever comes in."""
    found = cases.load(answered / f"{case.name}-{case.frameworks[0]}.npz")
    for spec in case.outputs:
        outputs = [each.outputs[spec.name] for each in found]
        assert len({(array.shape, str(array.tolist())) for array in outputs}) >= 3, spec.name
        if np.issubdtype(np.dtype(spec.dtype), np.inexact):
            assert max(np.abs(array).max(initial=0) for array in outputs) > TINY, spec.name


@pytest.mark.slow
def test_the_twin_agrees_with_the_source(case: HardCase, answered: Path) -> None:
    """On all parity inputs, to 1e-5 of the largest output, with the source's dtypes and shapes."""
    if len(case.frameworks) == 1:
        pytest.skip(str(case.absent))
    sources, twins = (cases.load(answered / f"{case.name}-{framework}.npz") for framework in case.frameworks)
    for source, twin in zip(sources, twins, strict=True):
        parity = compare(twin.outputs, source.outputs, 1e-5)
        assert parity.passed, parity


def _sizes(specs: Sequence[TensorSpec], tensors: Tensors) -> dict[str, int]:
    """The sizes of the dynamic axes that the tensors name."""
    return {
        axis: size
        for spec in specs
        for axis, size in zip(spec.shape, tensors[spec.name].shape, strict=True)
        if isinstance(axis, str)
    }


def _check(case: HardCase, specs: Sequence[TensorSpec], tensors: Tensors, axes: dict[str, int]) -> None:
    """Names, dtypes, shapes; `axes` has the sizes that are settled already."""
    assert list(tensors) == [spec.name for spec in specs]
    for spec in specs:
        array = tensors[spec.name]
        assert array.dtype == np.dtype(spec.dtype), spec.name
        assert array.ndim == len(spec.shape), spec.name
        for size, expected in zip(array.shape, spec.shape, strict=True):
            if isinstance(expected, str):
                low, high = case.axes[expected]
                assert low <= size <= high, (spec.name, expected)
                assert axes.setdefault(expected, size) == size, (spec.name, expected)
            else:
                assert size == expected, spec.name
