"""TFLite's static int8: what stays float, and what that keeps of the quality."""

from __future__ import annotations

from collections import defaultdict

import pytest
from ai_edge_litert import schema_py_generated as schema

from models import zoo
from pipelines import artifacts
from pipelines.parity import compare, tolerance
from serving.reference import runtimes


@pytest.mark.parametrize("model", ["named_outputs", "data_dependent_branch"])
def test_a_case_that_the_calibrator_or_its_debugger_cannot_run_as_given_is_quantized_all_the_same(model: str) -> None:
    made = artifacts.export(model, "tensorflow", "tflite", "int8_static")
    loaded = runtimes.load("litert", made.folder, made.manifest, 1)
    cases = artifacts.reference(model).parity
    assert all(compare(loaded.infer(case.inputs), case.outputs, tolerance("int8_static")).passed for case in cases)
    assert len({str(case.inputs) for case in cases}) > 1
    assert made.facts.quantized is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "metric", "least", "quantized", "float_"),
    [
        ("minilm", "cosine", 0.98, {"GATHER", "FULLY_CONNECTED"}, {"SOFTMAX", "GELU", "BATCH_MATMUL"}),
        ("mobilenet_v2", "top1_agreement", 0.9, {"CONV_2D", "DEPTHWISE_CONV_2D"}, {"ADD"}),
    ],
)
def test_what_8_bits_cannot_hold_stays_float_and_the_answers_stay_good(
    model: str, metric: str, least: float, quantized: set[str], float_: set[str]
) -> None:
    pair = zoo.load(model)
    made = artifacts.export(model, "tensorflow", "tflite", "int8_static")
    content = (made.folder / made.manifest.entry).read_bytes()
    precisions = _precisions(content)
    assert {kind for kind in quantized if "INT8" not in precisions[kind]} == set()
    assert {kind for kind in float_ if precisions[kind] != {"FLOAT32"}} == set()
    loaded = runtimes.load("litert", made.folder, made.manifest, 1)
    cases = artifacts.reference(model).evaluation
    answers = [loaded.infer(case.inputs) for case in cases]
    quality = {each.metric: each.value for each in pair.quality(answers, [case.outputs for case in cases])}
    assert quality[metric] >= least


def _precisions(flatbuffer: bytes) -> dict[str, set[str]]:
    """By kind of operator, the types of what those of the first subgraph put out."""
    kinds = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    types = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
    model = schema.Model.GetRootAs(flatbuffer)
    graph = model.Subgraphs(0)
    found: dict[str, set[str]] = defaultdict(set)
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        kind = kinds[model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()]
        found[kind].add(types[graph.Tensors(operator.Outputs(0)).Type()])
    return found
