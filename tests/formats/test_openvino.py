"""OpenVINO's converter tells nobody what it converts."""

from __future__ import annotations

from importlib import import_module

from tests.serving import fresh


def test_the_converter_has_no_telemetry() -> None:
    assert fresh.call(_telemetry) == "openvino.tools.ovc.telemetry_stub"


def _telemetry() -> str:
    return str(import_module("openvino.tools.ovc.telemetry_utils").tm.__name__)
