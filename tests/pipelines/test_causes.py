"""What converters and runtimes have said of hard cases, and what the map makes of it."""

from __future__ import annotations

import pytest

from pipelines.matrix.causes import (
    COMPLEX,
    CONVERTER_DTYPE,
    DATA,
    KERNEL_MISSING,
    OPERATOR_MISSING,
    RUNTIME_DTYPE,
    STATE,
    TORCHSCRIPT,
    UNLIKE,
    explain,
)

STEP = "ConversionError: Failed to convert the exported program to an ONNX model. This is step 3/3 of it. Next steps:"
MISMATCHED = "SpecViolationError: These operators are taking Tensor inputs with mismatched dtypes:"
CALIBRATING = """  File "tensorflow/lite/python/optimize/calibrator.py", line 150, in _feed_tensors
    self._calibrator.FeedTensor(input_array, signature_key)
"""
RESIZED = "RuntimeError: Given shapes, [8,5] and [3,5], are not broadcastable.Node number 1 (SUB) failed to prepare."
CALL = "StatefulPartitionedCall"
PARTITIONED = f"""Tensorflow op [{CALL}/functional_1/conv2d_1/{CALL}: {CALL}] is not supported
Unsupported ops: Counter({{'{CALL}': 1}})"""
UNCONVERTED = "OpConversionFailure: Check 'false' failed at src/frontends/unconverted_ops_report.cpp:151:"


@pytest.mark.parametrize(
    ("message", "log", "text", "operator"),
    [
        (
            STEP,
            "## Exception summary\n\n<class 'torch.onnx._internal.DispatchError'>: No ONNX function found for "
            "<OpOverload(op='mine.row_ranks', overload='default')>. Failure message: none",
            OPERATOR_MISSING,
            "mine.row_ranks",
        ),
        (
            "ValidationError: Field 'shape' of 'type' is required but missing.",
            "Unsupported ops: Counter({'StaticRegexReplace': 1, 'StringSplitV2': 1})",
            OPERATOR_MISSING,
            "StaticRegexReplace",
        ),
        (UNCONVERTED, "-- No conversion rule found for operations: PyFunc", OPERATOR_MISSING, "PyFunc"),
        (
            "ArtifactError: model.pt: not a TorchScript module: Unknown builtin op: mine::row_ranks.",
            "",
            KERNEL_MISSING,
            "mine::row_ranks",
        ),
        ("InvalidArgumentError: Graph execution error:", "callback with key=pyfunc_0 in", "unknown", None),
        (
            "InvalidArgumentError: Graph execution error:",
            "ValueError: Could not find callback with key=pyfunc_0 in the registry.",
            KERNEL_MISSING,
            "pyfunc",
        ),
        (
            "RuntimeError: torch.nested.nested_tensor_from_jagged does not support tracing with fx.symbolic_trace.",
            "",
            OPERATOR_MISSING,
            "torch.nested.nested_tensor_from_jagged",
        ),
        ('TypeError: zeros(): "type must be tuple of ints,but got FakeTensor"', "", DATA, None),
        ("ValueError: Input 0 was passed float incompatible with expected resource.", "", STATE, None),
        (
            "ValidationError: No Op registered for StatefulPartitionedCall with domain_version of 18",
            PARTITIONED,
            OPERATOR_MISSING,
            "conv2d_1",
        ),
        (
            MISMATCHED,
            "Operator: <EdgeOpOverload: aten.mul.Tensor>: schema = aten::mul.Tensor(Tensor self, Tensor other) -> "
            "Tensor with args: {'self': torch.complex64, 'other': torch.complex64, '__ret_0': torch.complex64}",
            COMPLEX,
            "aten.mul.Tensor",
        ),
        (
            MISMATCHED,
            "Operator: <EdgeOpOverload: aten.mul.Tensor>: schema = aten::mul.Tensor(Tensor self, Tensor other) -> "
            "Tensor with args: {'self': torch.float32, 'other': torch.int64, '__ret_0': torch.float32}",
            CONVERTER_DTYPE,
            "aten.mul.Tensor",
        ),
        ("RuntimeError: torch.complex64", "", COMPLEX, None),
        ("RuntimeError: Unsupported ir element type: complex<f32>", "", COMPLEX, None),
        ("TypeError: Got unsupported ScalarType BFloat16", "", CONVERTER_DTYPE, None),
        (
            "RuntimeException: [ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CPU execution provider: MLFloat16 data "
            "type is not supported with ScatterElements opset 16 when reduction is 'add'.",
            "",
            RUNTIME_DTYPE,
            "ScatterElements",
        ),
        (
            "InvalidInput: input 'ids': openvino computes in 32-bit integers, and a value does not fit",
            "",
            RUNTIME_DTYPE,
            None,
        ),
        (
            "RuntimeError: method->execute() failed with error 0x12",
            "[method.cpp:1483] KernelCall failed at instruction 0:0 in operator aten::convolution.out: 0x12",
            "arguments that the runtime's kernel refuses",
            "aten::convolution.out",
        ),
        ("RuntimeError: method->execute() failed with error 0x12", "", "unknown", None),
        ("ValueError: Failed to export flatbuffer:", "", "flatbuffer not written, and no reason given", None),
        (
            "ValueError: Failed to run converter passes: conv.py:1198:0: error: failed to legalize operation "
            "'mhlo.convolution' that was explicitly marked illegal: %14",
            "",
            OPERATOR_MISSING,
            "mhlo.convolution",
        ),
        (
            "NonConcreteBooleanIndexError: Array boolean indices must be concrete; got bool[1]",
            "",
            DATA,
            None,
        ),
        ("RuntimeError: 'Tensor' object has no attribute or method 'bfloat16'.:", "", TORCHSCRIPT, "bfloat16"),
        (
            "RuntimeError: Detected that you are using FX to torch.jit.trace a dynamo-optimized function.",
            "",
            "control flow as an operator, which TorchScript has not",
            None,
        ),
        (
            "RuntimeError: Node aten_linear_default with op <EdgeOpOverload: aten.linear.default>: schema = "
            "aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor was not decomposed or delegated.",
            "",
            "operator in a branch: neither delegated nor decomposed",
            "aten.linear.default",
        ),
        (
            "RuntimeError: python value of type 'int' cannot be used as a value. Perhaps it is a "
            "closed over global variable?",
            "",
            TORCHSCRIPT,
            None,
        ),
        (
            "InvalidArgument: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid rank for input: k Got: 0 Expected: 1",
            "",
            UNLIKE,
            None,
        ),
        (RESIZED, CALIBRATING + RESIZED, "calibration at a second size", "SUB"),
        (RESIZED, RESIZED, "unknown", None),
        (
            "ValueError: Please check if the quantized model is in debug mode",
            "",
            "nothing quantized in the main graph",
            None,
        ),
        (
            "RuntimeError: Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, "
            "Int; but got torch.FloatTensor instead (while checking arguments for embedding)",
            "",
            "integers quantized to floats",
            "embedding",
        ),
        (
            "Fail: [ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running DynamicQuantizeMatMul "
            "node. Name:'MatMul__41_quant' Status Message: MatmulInteger : b zero point is not valid",
            "",
            "quantized operator that the runtime refuses",
            "DynamicQuantizeMatMul",
        ),
    ],
)
def test_what_was_said_has_its_cause(message: str, log: str, text: str, operator: str | None) -> None:
    cause = explain(message, log)
    assert (cause.text if cause.known else "unknown", cause.operator) == (text, operator)


def test_an_unknown_failure_of_onnx_export_is_told_by_its_summary() -> None:
    cause = explain(STEP, "## Exception summary\n\n<class 'ValueError'>: no tea\n\n(Refer to the full stack trace.)")
    assert (cause.text, cause.known) == ("ValueError: no tea", False)


def test_a_line_of_megabytes_is_looked_at_in_its_beginning() -> None:
    assert not explain("Unsupported x" * 1_000_000, "Missing out variant" * 1_000_000).known
    assert explain("", "x" * 10_000_000 + "\nNo Op registered for Tea").operator == "Tea"
