"""LiteRT from torch: what the signature and the manifest say of what was converted."""

from __future__ import annotations

import pytest

from models.pair import TensorSpec
from pipelines import artifacts, formats
from pipelines.formats.litert import _at
from pipelines.parity import compare
from serving.reference import runtimes


def test_only_the_axes_that_were_fixed_become_sizes() -> None:
    spec = TensorSpec("x", "int64", ("batch", "length", 3))
    assert _at((spec,), {"batch": 1}) == (TensorSpec("x", "int64", (1, "length", 3)),)
    assert _at((spec,), {}) == (spec,)


@pytest.mark.slow
@pytest.mark.skipif(formats.missing("litert") is not None, reason=formats.missing("litert") or "")
def test_a_reshape_to_a_dynamic_size_is_converted_at_the_size_of_a_request() -> None:
    made = artifacts.export("digits_cnn", "torch", "litert", "fp32")
    assert [tensor.shape for tensor in made.manifest.inputs] == [(1, 1, 8, 8)]
    loaded = runtimes.load("litert", made.folder, made.manifest, 1)
    case = artifacts.reference("digits_cnn").parity[0]
    assert compare(loaded.infer(case.inputs), case.outputs).passed
    assert made.facts.operators


@pytest.mark.slow
@pytest.mark.skipif(formats.missing("litert") is not None, reason=formats.missing("litert") or "")
def test_so_is_what_its_lowerings_cannot_give_a_dynamic_size_for_any_other_reason() -> None:
    made = artifacts.export("large_constant", "torch", "litert", "fp32")
    assert all(isinstance(size, int) for tensor in made.manifest.inputs for size in tensor.shape)
