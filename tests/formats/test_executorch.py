"""ExecuTorch: what has to hold for what torch exports before it is lowered."""

from __future__ import annotations

import dataclasses

import numpy as np

from models import catalog
from pipelines.formats._torch_program import example


def test_strides_of_an_example_do_not_become_those_of_the_program() -> None:
    pair = catalog.load("digits_cnn")
    transposed = dataclasses.replace(
        pair, parity_inputs=lambda: [{"image": np.zeros((8, 8, 1, 3), np.float32).transpose(3, 2, 0, 1)}]
    )
    (image,) = example(transposed)
    assert image.is_contiguous()
    assert image.shape == (3, 1, 8, 8)
