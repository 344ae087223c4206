"""OpenVINO: .onnx files and its own IR (.xml beside .bin) on its CPU plugin. https://docs.openvino.ai"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from serving.reference.artifact import Manifest
from serving.reference.runtimes import NUMBERS, Arrays, InvalidInput, check_tensors

DTYPES = NUMBERS - {"float64"}  # its CPU plugin would compute in float32

WIDE = {"int64", "uint32", "uint64"}
"""What its CPU plugin computes in int32: larger values would wrap without a word."""

_NUMPY = {
    "boolean": "bool",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    **{f"{kind}{bits}": f"{name}{bits}" for kind, name in (("i", "int"), ("u", "uint")) for bits in (8, 16, 32, 64)},
}
"""NumPy's dtype name by OpenVINO's name of an element type."""


class OpenVINO:
    """One inference request of a compiled model.

    Copies: none of inputs, which are read where they lie; outputs are copied out of the request, whose memory the next
    call writes to.

    Integers wider than 32 bits are computed in int32. Inputs that do not fit are refused; whether a model's own
    arithmetic leaves that range, nobody can see.
    """

    def __init__(self, compiled: Any, manifest: Manifest) -> None:
        self._request = compiled.create_infer_request()
        self._wide = [tensor.name for tensor in manifest.inputs if tensor.dtype in WIDE]
        self._outputs = {tensor.name: compiled.output(tensor.name) for tensor in manifest.outputs}

    def infer(self, inputs: Arrays) -> Arrays:
        """Outputs by name; raises `InvalidInput` for integers beyond int32."""
        for name in self._wide:
            array = inputs[name]
            if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
                raise InvalidInput(f"input {name!r}: openvino computes in 32-bit integers, and a value does not fit")
        results = self._request.infer(inputs, share_inputs=True, share_outputs=False)
        return {name: results[port] for name, port in self._outputs.items()}


def load(path: Path, manifest: Manifest, threads: int) -> OpenVINO:
    """Read and compile a model; raises `ArtifactError` where its tensors are not the manifest's."""
    openvino = _import()
    from openvino import properties
    from openvino.properties import hint

    core = openvino.Core()
    model = core.read_model(str(path))
    check_tensors("input", manifest.inputs, _dtypes(model.inputs))
    check_tensors("output", manifest.outputs, _dtypes(model.outputs))
    settings = {
        hint.performance_mode: hint.PerformanceMode.LATENCY,
        properties.num_streams: 1,
        properties.inference_num_threads: threads,
        # Otherwise it takes one thread for the two of a physical core, whatever the line above says.
        hint.enable_hyper_threading: True,
        # The cpuset says where to run; pinning would choose cores by the machine's whole list.
        hint.enable_cpu_pinning: False,
        # On processors with bfloat16 it would compute in that, and deviate from all other runtimes.
        hint.inference_precision: openvino.Type.f32,
    }
    return OpenVINO(core.compile_model(model, "CPU", settings), manifest)


def version() -> str:
    """The library's version."""
    return str(_import().__version__).partition("-")[0]


def _import() -> Any:
    """The library without its telemetry, for which it has a stub of its own where that package is missing."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def _dtypes(ports: Any) -> dict[str, str]:
    found = {}
    for port in ports:
        dtype = port.get_element_type().get_type_name()
        found[port.get_any_name()] = _NUMPY.get(dtype, dtype)
    return found
