"""An ONNX model that takes as long as one likes on one core: y = 2x + 1 after so many matrix products."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np

from serving.reference.artifact import Tensor
from tests.serving import tiny

INPUTS = (Tensor("x", "float32", ("batch", 4)),)
OUTPUTS = (Tensor("y", "float32", ("batch", 4)),)
SIDE = 192
"""A product of this size, 14 MFLOP, fits the cache: the model computes and does not wait for memory."""


def make(folder: Path, products: int) -> Path:
    """The artifact, in `folder`, which is made; a product takes about 0.1 ms a row."""
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True)
    matrix = np.random.default_rng(3).normal(size=(SIDE, SIDE)).astype(np.float32) / math.sqrt(SIDE)
    constants = [
        numpy_helper.from_array(np.ones((4, SIDE * SIDE), np.float32) / 4, "spread"),
        numpy_helper.from_array(np.array([-1, SIDE, SIDE]), "square"),
        numpy_helper.from_array(matrix, "matrix"),
        numpy_helper.from_array(np.array([1, 2]), "sides"),
        *(helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("two", 2.0), ("one", 1.0), ("none", 0.0))),
    ]
    names = [f"h{number}" for number in range(products + 1)]
    nodes = [
        helper.make_node("MatMul", ["x", "spread"], ["flat"]),
        helper.make_node("Reshape", ["flat", "square"], names[:1]),
    ]
    nodes += [helper.make_node("MatMul", [before, "matrix"], [after]) for before, after in pairwise(names)]
    nodes += [
        helper.make_node("ReduceMean", [names[-1]], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "none"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "last"], ["column"]),
        helper.make_node("Mul", ["x", "two"], ["doubled"]),
        helper.make_node("Add", ["doubled", "one"], ["known"]),
        helper.make_node("Add", ["known", "column"], ["y"]),
    ]
    constants.append(numpy_helper.from_array(np.array([1]), "last"))
    tiny.save_onnx(folder, nodes, INPUTS, OUTPUTS, constants)
    return tiny.seal(folder, "onnx", "model.onnx", INPUTS, OUTPUTS)
