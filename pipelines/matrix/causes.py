"""What converters and runtimes say, and what they mean by it: one table of patterns, the first that fits decides.

An entry's group `op`, where it has one, is the operator. What no entry knows keeps its own first line as the cause.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why something failed, in a few words that many failures share."""

    text: str
    operator: str | None = None
    unsupported: bool = False
    """Whether an operator is the reason."""
    known: bool = True
    """Whether the table has it."""


OPERATOR_MISSING = "operator the converter lacks"
KERNEL_MISSING = "operator the runtime lacks"
FLEX = "operator of TensorFlow that TFLite lacks (flex)"
FIXED = "fixed size recorded"
STATE = "state that the graph writes to"
DATA = "control flow or shape that depends on data"
TORCHSCRIPT = "Python that TorchScript has not"
CONVERTER_DTYPE = "dtype that the converter lacks"
RUNTIME_DTYPE = "dtype that the runtime lacks"
COMPLEX = "complex numbers"
UNLIKE = "tensors unlike those of the model"

UNSUPPORTED: tuple[tuple[str, str], ...] = (
    # torch → ONNX, its dispatcher and its decompositions
    (r"No ONNX function found for <OpOverload\(op='(?P<op>[\w.:]+)'", OPERATOR_MISSING),
    (r"No ONNX function found for .*?(?P<op>aten[.:]+[\w.]+|torch\S+?|\w+::\w+)[\s'\">.]", OPERATOR_MISSING),
    (r"No decompositions? registered for .*?(?P<op>\w+\.\w+[\w.]*)", OPERATOR_MISSING),
    (r"Exporting the operator '(?P<op>[^']+)' to ONNX", OPERATOR_MISSING),
    (r"(?:Could not export|Unsupported) Python function call '(?P<op>\w+)'", OPERATOR_MISSING),
    # TFLite's converter: what is left over is a list of operators, `Flex` ones first
    (r"(?s)Some ops are not supported by the native TFLite runtime.*?Flex ops: Flex(?P<op>\w+)", FLEX),
    (r"'tf\.(?P<op>\w+)' op is neither a custom op nor a flex op", FLEX),
    (r"(?s)Some ops in the model are custom ops.*?Custom ops: (?P<op>\w+)", OPERATOR_MISSING),
    (r"'(?P<op>tfl\.\w+|tf\.\w+)' op (?:is not|isn't) (?:supported|a custom op)", OPERATOR_MISSING),
    # LiteRT
    (r"Regular TensorFlow ops are not supported.*?(?P<op>Flex\w+)", FLEX),
    (r"Select TensorFlow op\(s\).*?(?P<op>Flex\w+)", FLEX),
    (r"Encountered unresolved custom op: (?P<op>\w+)", KERNEL_MISSING),
    (r"operations are currently supported for (?P<op>stablehlo\.\w+?)\.?Node number", KERNEL_MISSING),
    (r"Didn't find op for builtin opcode '(?P<op>\w+)'", KERNEL_MISSING),
    # ONNX Runtime
    (r"NOT_IMPLEMENTED\s*:\s*Could not find an implementation for (?P<op>\w+)\(\d+\)", KERNEL_MISSING),
    (r"No Op registered for (?P<op>\w+)", KERNEL_MISSING),
    (r"(?P<op>[\w.:]+)\(-?\d+\) is not a registered function/op", KERNEL_MISSING),
    # OpenVINO
    (r"No conversion rule found for operations?: (?P<op>[\w:.]+)", OPERATOR_MISSING),
    (r"Model wasn't fully converted.*?(?P<op>aten::\w+|prim::\w+|[A-Z]\w+)", OPERATOR_MISSING),
    (r"OpConversionFailure: (?!Check ).*?(?P<op>aten::\w+|[A-Z]\w+V?\d*)", OPERATOR_MISSING),
    # tf2onnx: of a call the layer that it stands for, since every call has the same name
    (
        r"Tensorflow op \[(?:\S*/)?(?P<op>\w+)/StatefulPartitionedCall: StatefulPartitionedCall\] is not",
        OPERATOR_MISSING,
    ),
    (r"Unsupported ops: Counter\(\{'(?P<op>\w+)'", OPERATOR_MISSING),
    (r"[Tt]ensorflow op \[.*?: (?P<op>\w+)\] is not supported", OPERATOR_MISSING),
    # ExecuTorch and litert-torch
    (r"Missing out variants?: \{'?(?P<op>[\w.:]+)", OPERATOR_MISSING),
    (r"kernel '?(?P<op>[\w.:]+)'? not found", KERNEL_MISSING),
    (r"Operator (?P<op>\S+) is not in Core ATen opset", OPERATOR_MISSING),
    (r"failed to legalize operation '(?P<op>[\w.]+)' that was explicitly marked illegal", OPERATOR_MISSING),
    (r"[Ll]owering (?:is )?not (?:found|registered|implemented)[^\w]*(?:for )?(?P<op>[\w.:]+)", OPERATOR_MISSING),
    # torch.export: what it will not trace, and an archive with an operator that libtorch has not
    (r"(?P<op>torch\.[\w.]+) does not support tracing", OPERATOR_MISSING),
    (r"refused, because it has target 'torch\.ops\.(?P<op>[\w.]+)'", KERNEL_MISSING),
    # AOTInductor
    (r"Could not find schema for (?P<op>[\w:.]+\w)", KERNEL_MISSING),
    # TensorFlow: a Python function stays in the process that made it
    (r"Could not find callback with key=(?P<op>pyfunc)_", KERNEL_MISSING),
    # XLA
    (r"Detected unsupported operations when trying to compile graph \S+ on \S+: (?P<op>\w+)", OPERATOR_MISSING),
    # TorchScript
    (r"not a TorchScript module: Unknown builtin op: (?P<op>[\w:]+)", KERNEL_MISSING),
    (r"Unknown builtin op: (?P<op>[\w:]+)", OPERATOR_MISSING),
    (r"Tried to trace (?P<op><[^>]+>|\S+) but it is not part of the active trace", OPERATOR_MISSING),
    (r"NotImplementedError.*?'(?P<op>aten::\w+[\w.]*)'", OPERATOR_MISSING),
)

OTHERS: tuple[tuple[str, str], ...] = (
    (r"data-dependent|DataDependent|unbacked sym", DATA),
    (r"must be tuple of ints,but got FakeTensor", DATA),
    (r"NonConcreteBooleanIndexError", DATA),
    (r"Dynamic control flow is not supported|using a `tf\.Tensor` as a Python `bool`", DATA),
    (r"Constraints violated|was specialized|specialized (?:it )?(?:to be )?a constant", FIXED),
    (r"inferred to be a constant", FIXED),
    (r"Got invalid dimensions for input|but expected? (?:a )?static|static shape", FIXED),
    (r"requires element_shape to be static", "size that TFLite must know when it converts"),
    (r"Attempted to resize a (?:static|bounded) tensor|XNNPack delegate failed to reshape", FIXED),
    (r"Shapes must be 1D sequences of concrete values|TracerBoolConversionError", "size that JAX must know"),
    (r"only supports 1 dynamic dimension", "a second dynamic axis"),
    (r"must be (?:a )?compile-time constant", "size that XLA must know when it compiles"),
    (r"Tensor-likes are not (?:close|equal)", "the trace holds for its example only"),
    (r"values for attribute 'shape' do not match", "the trace holds for its example only"),
    (r"failed in the TorchScript interpreter", "fails where TorchScript runs it"),
    (r"Unsupported value kind: Tensor", "tensor that TorchScript cannot trace"),
    (r"FX to torch\.jit\.trace a dynamo-optimized function", "control flow as an operator, which TorchScript has not"),
    (
        r"op <EdgeOpOverload: (?P<op>[\w.]+)>: schema = .* was not decomposed or delegated",
        "operator in a branch: neither delegated nor decomposed",
    ),
    (r"incompatible with expected resource", STATE),
    (r"Tracer cannot infer type|could not be (?:scripted|compiled)", TORCHSCRIPT),
    (r"NotSupportedError|UnsupportedNodeError|not supported in TorchScript", TORCHSCRIPT),
    (r"object has no attribute or method '(?P<op>\w+)'", TORCHSCRIPT),
    (r"python value of type '\w+' cannot be used as a value", TORCHSCRIPT),
    (r"has dtype '\S+'; \w+ has", RUNTIME_DTYPE),
    (r"data type is not supported with (?P<op>\w+) opset", RUNTIME_DTYPE),
    (r"computes in 32-bit integers, and a value does not fit", RUNTIME_DTYPE),
    (r"Unsupported ir element type: complex|RuntimeError: torch\.complex\d+", COMPLEX),
    (r"Operator: <EdgeOpOverload: (?P<op>[\w.]+)>: schema = .*torch\.complex", COMPLEX),
    (r"Operator: <EdgeOpOverload: (?P<op>[\w.]+)>: schema = ", CONVERTER_DTYPE),
    (r"unsupported ScalarType", CONVERTER_DTYPE),
    (r"(?i)unsupported (?:tensor |element )?(?:data ?type|dtype|type)", CONVERTER_DTYPE),
    (r"(?i)(?:data ?type|dtype) \S+ (?:is )?not supported", CONVERTER_DTYPE),
    (r"(?i)complex(?:64|128|float|double)?\b.*(?:not|un)[ -]?support", COMPLEX),
    # Quantization: TFLite's calibration resizes one input after the other, and its debugger sees the main graph only
    (r"(?s)calibrator\.py.*Node number \d+ \((?P<op>\w+)\) failed to prepare", "calibration at a second size"),
    (r"check if the quantized model is in debug mode", "nothing quantized in the main graph"),
    (
        r"but got torch\.FloatTensor instead \(while checking arguments for (?P<op>\w+)\)",
        "integers quantized to floats",
    ),
    (r"while running (?P<op>\w+) node.*zero point is not valid", "quantized operator that the runtime refuses"),
    (r"INVALID_GRAPH|Type Error: Type|ShapeInferenceError|ValidationError", "invalid graph written"),
    (r"maximum protobuf size|2 ?GB|larger than 2|exceeds? .*limit", "too large for its file format"),
    (r"CppCompileError|C\+\+ compile error", "generated C++ that does not compile"),
    (r"ModuleNotFoundError|No module named", "a package is missing"),
    (r"the manifest (?:names|gives)|expected one signature", UNLIKE),
    (r"Invalid rank for input: \w+ Got: \d+ Expected: \d+", UNLIKE),
    (
        r"KernelCall failed at instruction \S+ in operator (?P<op>[\w:.]+): 0x12",
        "arguments that the runtime's kernel refuses",
    ),
    (r"Failed to export flatbuffer:", "flatbuffer not written, and no reason given"),
    (r"NoEquivalent", "no equivalent in this framework"),
)

_TABLE = [(re.compile(pattern), text, True) for pattern, text in UNSUPPORTED] + [
    (re.compile(pattern), text, False) for pattern, text in OTHERS
]


_SUMMARY = re.compile(r"## Exception summary\s+<class '(?:[\w.]+\.)?(?P<kind>\w+)'>: (?P<said>.+)")
"""At the end of what torch's ONNX exporter says; its own first line only says in which step it failed."""
_LEFT_OVER = re.compile(r"Tensorflow op \[\S+: StatefulPartitionedCall\] is not supported|Unsupported ops: Counter\(.+")
"""What tf2onnx says before it writes a graph all the same, with TensorFlow's operators in it."""


LONGEST_LINE, LONGEST_LOG = 1_000, 100_000
"""Characters that are looked at, of each line and, from its end, of a log: many patterns take the square of a line."""


def explain(message: str, log: str = "") -> Cause:
    """The cause that the message names, or that the log does where the message names none."""
    message, log = (
        "\n".join(line[:LONGEST_LINE] for line in text.splitlines())[-LONGEST_LOG:] for text in (message, log)
    )
    if found := _SUMMARY.search(log):
        message = f"{found['kind']}: {found['said']}"
    elif found := _LEFT_OVER.search(log):
        message = found[0]
    for said in (message, log):
        for pattern, text, unsupported in _TABLE:
            if found := pattern.search(said):
                return Cause(text, found.groupdict().get("op"), unsupported)
    return Cause(message.strip(), known=False)
