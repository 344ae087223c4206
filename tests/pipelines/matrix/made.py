"""Maps and observations made by hand."""

from __future__ import annotations

from pipelines.matrix import document
from pipelines.matrix.cells import Cell, Ground, Model, Skip, Way
from pipelines.matrix.document import Entry, Map
from pipelines.matrix.observation import Export, Failure, Observation

GROUND = Ground(
    {"pair": Model("pair", True, "a pair"), "case": Model("case", False, "an operator | of its own")},
    {
        "onnx": Way(
            ("torch",), ("fp32",), server="reference-onnx", not_offered={"fp16": "halves are <b>slow</b> | here"}
        ),
        "tflite": Way(("tensorflow",), ("fp16", "fp32", "int8_dynamic", "int8_static"), server="reference-litert"),
    },
)
EXPORT = Export(1.5, 2_000_000, 3_000_000, 7, None, (), (), {})
MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "python": "3.11",
    "system": "Linux",
    "memory_bytes": 8_000_000_000,
    "git_revision": None,
}


def observation(cell: Cell, failure: Failure | None = None, log: str = "") -> Observation:
    export = None if failure else EXPORT
    return Observation(cell.id, "onnxruntime", "2026-01-01T00:00:00Z", 1.0, export=export, failure=failure, log=log)


def entries(log: str = "") -> list[Entry]:
    """One that is ok, one whose converter said something, one that is skipped."""
    ok, failed, skipped = (
        Cell("pair", "torch", "onnx", "fp32"),
        Cell("case", "torch", "onnx", "fp32"),
        Cell("case", "tensorflow", "onnx", "fp32"),
    )
    failure = Failure("export", "converter_error", "ValueError: <b>no</b> | tea", 60.0)
    return [
        document.entry(ok, observation(ok), is_pair=True),
        document.entry(failed, observation(failed, failure, log), is_pair=False),
        document.skipped(Skip(skipped, "no honest equivalent in tensorflow: none")),
    ]


def whole(found: list[Entry]) -> Map:
    return Map(
        made_at="2026-01-01T00:00:00Z",
        machine=MACHINE,
        versions={"torch": "2.0"},
        settings={
            "timeout_s": 60.0,
            "cores": 2,
            "jobs": 3,
            "wall_s": 2900.4,
            "observed_now": 1,
            "known": 41,
        },
        rows=document.rows(GROUND, found),
        totals=document.totals(found, ["pair"]),
        entries=tuple(found),
        not_offered=document.not_offered(GROUND, found),
    )
