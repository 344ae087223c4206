"""What tf2onnx lists as inputs beside those of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.pair import HardCase, TensorSpec
from pipelines.formats import _onnx_tensorflow


def test_a_constant_that_the_twin_holds_is_no_input(tmp_path: Path) -> None:
    import onnxruntime

    x = np.array([[1, 2, 3]], np.float32)
    _onnx_tensorflow.write(_held(), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["x"]
    (y,) = session.run(["y"], {"x": x})
    np.testing.assert_array_equal(y, x * [[2, 3, 5]])


def test_an_input_behind_ours_that_a_node_or_a_branch_reads_stays() -> None:
    from onnx import TensorProto, helper

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])

    branch = helper.make_graph([helper.make_node("Neg", ["inner"], ["z"])], "branch", [], [value("z")])
    chosen = helper.make_node("If", ["flag"], ["w"], then_branch=branch, else_branch=branch)
    added = helper.make_node("Add", ["w", "table"], ["y"])
    names = ("flag", "table", "inner", "unread")
    graph = helper.make_graph([chosen, added], "graph", [value(name) for name in names], [value("y")])
    _onnx_tensorflow._drop_unread_inputs(graph, 1)
    assert [each.name for each in graph.input] == ["flag", "table", "inner"]


def test_an_input_of_ours_stays_even_where_nothing_reads_it() -> None:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "graph", [x, y], [y])
    graph.input[1].name = "unread"
    _onnx_tensorflow._drop_unread_inputs(graph, 2)
    assert [each.name for each in graph.input] == ["x", "unread"]


def _held() -> HardCase:
    def twin() -> Any:
        import tensorflow as tf

        class Scaled(tf.Module):  # type: ignore[misc]  # tensorflow is not followed by mypy
            def __init__(self) -> None:
                super().__init__()
                self.scale = tf.constant([2.0, 3.0, 5.0])

            def __call__(self, inputs: Any, training: bool = False) -> Any:  # noqa: ARG002
                return {"y": inputs["x"] * self.scale}

        return Scaled()

    return HardCase(
        name="held",
        summary="a constant made before the graph is traced",
        feature="captured constant",
        inputs=(TensorSpec("x", "float32", ("batch", 3)),),
        outputs=(TensorSpec("y", "float32", ("batch", 3)),),
        axes={"batch": (1, 8)},
        torch_module=None,
        keras_model=twin,
        parity_inputs=lambda: [{"x": np.ones((2, 3), np.float32)}],
    )
