"""ExecuTorch: what has to hold for what torch exports before it is lowered."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models import catalog
from models.pair import TensorSpec
from pipelines import artifacts, formats
from pipelines.formats import executorch
from pipelines.formats._eight_bits import loud
from pipelines.formats._torch_program import example
from pipelines.parity import compare
from serving.reference import runtimes

needs_executorch = pytest.mark.skipif(
    formats.missing("executorch") is not None, reason=formats.missing("executorch") or ""
)


def test_strides_of_an_example_do_not_become_those_of_the_program() -> None:
    pair = catalog.load("digits_cnn")
    transposed = dataclasses.replace(
        pair, parity_inputs=lambda: [{"image": np.zeros((8, 8, 1, 3), np.float32).transpose(3, 2, 0, 1)}]
    )
    (image,) = example(transposed)
    assert image.is_contiguous()
    assert image.shape == (3, 1, 8, 8)


@needs_executorch
def test_an_unsqueeze_of_two_dynamic_sizes_is_left_to_the_portable_kernels() -> None:
    made = artifacts.export("einsum", "torch", "executorch", "fp32")
    loaded = runtimes.load("executorch", made.folder, made.manifest, 1)
    cases = artifacts.reference("einsum").parity
    assert len(cases) > 1
    assert all(compare(loaded.infer(case.inputs), case.outputs).passed for case in cases)


@needs_executorch
def test_a_product_with_a_value_far_beyond_all_others_stays_float() -> None:
    import torch

    calm = np.random.default_rng(20).standard_normal((2000, 4)).astype(np.float32)
    louder = calm.copy()
    louder[0] = 1e3
    matched = dataclasses.replace(catalog.load("digits_cnn"), inputs=(TensorSpec("x", "float32", ("batch", 4)),))
    module = torch.export.export(torch.nn.Linear(4, 4), (torch.from_numpy(calm),)).module()
    assert loud(executorch._products(module, matched, [{"x": calm}])) == []
    assert loud(executorch._products(module, matched, [{"x": louder}])) == ["linear"]
