"""From a TensorFlow twin to an ONNX file, by tf2onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.pair import Matched
from pipelines.formats._saved_model import function, specs

OPSET = 18


def write(matched: Matched, path: Path) -> None:
    """Convert the twin's function; raises what tf2onnx raises, among it where an operator has no ONNX equivalent."""
    import tensorflow as tf
    import tf2onnx

    _, concrete = function(matched)
    signature = list(specs(matched).values())
    # A function of positional tensors: tf2onnx names inputs by the signature, in its order.
    names = [spec.name for spec in matched.inputs]
    positional = tf.function(
        lambda *tensors: concrete(**dict(zip(names, tensors, strict=True))), input_signature=signature
    )
    model, _ = tf2onnx.convert.from_function(
        positional,
        input_signature=signature,
        opset=OPSET,
        custom_op_handlers={"Erfc": (_erfc, [])},
    )
    _drop_unread_inputs(model.graph, len(names))
    _rename(model.graph, matched)
    path.write_bytes(model.SerializeToString())


def _erfc(ctx: Any, node: Any, name: str, args: Any) -> None:  # noqa: ARG001
    """erfc(x) = 1 − erf(x). tf2onnx leaves the operator as it is, and ONNX has none of that name.

    Keras's exact GELU is 0.5·x·erfc(−x/√2).
    """
    import numpy as np
    from tf2onnx.utils import map_onnx_to_numpy_type

    # First what may fail: tf2onnx goes on after an error in here, and Erf on its own would be a silent mistake.
    dtype = map_onnx_to_numpy_type(ctx.get_dtype(node.output[0]))
    one = ctx.make_const(f"{node.name}_one", np.array(1, dtype))
    node.domain = ""
    node.type = "Erf"
    ctx.insert_new_node_on_output(
        "Sub", node.output[0], name=f"{node.name}_complement", inputs=[one.output[0], node.output[0]]
    )


def _drop_unread_inputs(graph: Any, ours: int) -> None:
    """Leave out what stands behind our inputs and no node reads.

    A constant that the twin holds is frozen into the graph, and `from_function` lists it as an input all the same;
    tf2onnx's `from_keras` and its command line leave it out.
    """
    read = _read(graph)
    left = [value for value in graph.input[ours:] if value.name in read]
    del graph.input[ours:]
    graph.input.extend(left)


def _read(graph: Any) -> set[str]:
    """Every name that a node reads, or that the graph or a branch answers with."""
    found = {value.name for value in graph.output}
    for node in graph.node:
        found.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found |= _read(attribute.g)
    return found


def _rename(graph: Any, matched: Matched) -> None:
    """Give inputs and outputs the pair's names; the twin answers by name, and so its outputs are sorted by it."""
    outputs = sorted(spec.name for spec in matched.outputs)
    # Not strict: a lookup table that it could not convert is left over as an input behind ours, for others to refuse.
    names = dict(zip([value.name for value in graph.input], [spec.name for spec in matched.inputs], strict=False))
    names |= dict(zip([value.name for value in graph.output], outputs, strict=True))
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    _rename_uses(graph, names)


def _rename_uses(graph: Any, names: dict[str, str]) -> None:
    for node in graph.node:
        for uses in (node.input, node.output):
            for index, name in enumerate(uses):
                uses[index] = names.get(name, name)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename_uses(attribute.g, names)
