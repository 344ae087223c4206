"""What converters and runtimes have said of hard cases, and what the map makes of it."""

from __future__ import annotations

import pytest

from pipelines.matrix.causes import DATA, KERNEL_MISSING, OPERATOR_MISSING, STATE, explain

STEP = "ConversionError: Failed to convert the exported program to an ONNX model. This is step 3/3 of it. Next steps:"
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
