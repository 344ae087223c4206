"""What lowering a precision may touch, and how outputs and missing packages are named; no converter is started."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models import zoo
from pipelines import formats
from pipelines.formats import _eight_bits, _onnx_precision, _onnx_tensorflow
from pipelines.formats import onnx as format_onnx


def graph(*nodes: object) -> object:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1, 1], [1.0])
    return helper.make_graph(list(nodes), "g", [], [], [weight])


def test_products_of_activations_stay_float() -> None:
    made = graph(
        helper.make_node("MatMul", ["x", "w"], ["a"], name="weighted"),
        helper.make_node("MatMul", ["a", "a"], ["b"], name="scores"),
        helper.make_node("Softmax", ["b"], ["c"], name="softmax"),
        helper.make_node("Add", ["c", "a"], ["d"], name="residual"),
    )
    assert _onnx_precision.tolerant(made) == ["weighted"]


def test_what_follows_convolutions_is_quantized_with_them() -> None:
    made = graph(
        helper.make_node("Conv", ["x", "w"], ["a"], name="conv"),
        helper.make_node("Clip", ["a"], ["b"], name="clip"),
        helper.make_node("Add", ["b", "b"], ["c"], name="shortcut"),
        helper.make_node("Softmax", ["c"], ["d"], name="softmax"),
    )
    assert _onnx_precision.tolerant(made) == ["conv", "clip", "shortcut"]


@pytest.mark.parametrize("variant", ["int8_dynamic", "int8_static"])
def test_a_graph_without_weights_stays_as_it_is(tmp_path: Path, variant: str) -> None:
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Softmax", ["x"], ["a"]), helper.make_node("Add", ["a", "x"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    path = tmp_path / "artifact" / "model.onnx"
    path.parent.mkdir()
    onnx.save(model, path)
    inputs = [{"x": np.ones((1, 3), np.float32)}]
    _onnx_precision.lower(path, variant, SimpleNamespace(calibration_inputs=lambda: inputs))  # type: ignore[arg-type]
    assert format_onnx.quantized(path) == 0
    assert {"Softmax", "Add"} <= {node.op_type for node in onnx.load(path).graph.node}


def test_calibration_inputs_end_with_none() -> None:
    pair = zoo.load("digits_cnn")
    inputs = _onnx_precision._Inputs(pair)
    expected = min(len(pair.calibration_inputs()), _eight_bits.SAMPLES)
    assert sum(1 for _ in iter(inputs.get_next, None)) == expected
    assert inputs.get_next() is None


def test_outputs_of_a_twin_are_named_in_the_order_of_their_names() -> None:
    made = helper.make_graph(
        [helper.make_node("Neg", ["in"], ["first"]), helper.make_node("Abs", ["in"], ["second"])],
        "g",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("first", "second")],
    )
    spec = [SimpleNamespace(name=name) for name in ("state", "answer")]
    matched = SimpleNamespace(inputs=[SimpleNamespace(name="x")], outputs=spec)
    _onnx_tensorflow._rename(made, matched)  # type: ignore[arg-type]
    assert [(node.op_type, *node.input, *node.output) for node in made.node] == [
        ("Neg", "x", "answer"),
        ("Abs", "x", "state"),
    ]


def test_a_missing_extra_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = SimpleNamespace(PACKAGES=("numpy", "no-such-package"), EXTRA="mine")
    monkeypatch.setattr(formats, "load", lambda _: absent)
    assert formats.missing("any") == "no-such-package not installed; get it with: make extras EXTRAS=mine"
    absent.EXTRA = None
    assert formats.missing("any") == "no-such-package not installed; get it with: make setup"
    absent.PACKAGES = ("numpy",)
    assert formats.missing("any") is None
    absent.TOOLS = {"no-such-compiler": "apt-get install it"}
    assert formats.missing("any") == "no-such-compiler not installed; get it with: apt-get install it"


@pytest.mark.parametrize("name", formats.names())
def test_every_format_counts_operators(name: str) -> None:
    tree = ast.parse(Path(formats.load(name).__file__).read_text())
    assert "operators" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
