"""The whole path on both engines: real exports, real servers, real load."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.results import Results
from tests.pipelines import driving

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Finished:
    status: int
    printed: str
    folder: Path
    results: Results


@pytest.fixture(scope="module")
def finished(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    out = tmp_path_factory.mktemp(f"run-{engine}")
    process = driving.start(out, engine)
    printed = driving.finish(process)
    assert (out / "latest" / "results.json").exists(), printed
    return Finished(process.returncode, printed, (out / "latest").resolve(), driving.read(out))


def test_all_four_ways_out_answer_rightly_to_the_end(finished: Finished, engine: str) -> None:
    assert finished.results.complete
    tried = [cell for cell in finished.results.cells if cell.status != "skipped"]
    assert [(cell.format, cell.engine) for cell in tried] == [
        (name, engine) for name in ("torchscript", "onnx", "savedmodel", "tflite")
    ]
    # A shared machine may spoil a load (invalid, and says so); it may not make a cell fail.
    assert {cell.status for cell in tried} <= {"ok", "invalid"}, finished.printed
    assert (finished.status == 0) == all(cell.status == "ok" for cell in tried)


def test_every_hop_was_judged_and_quality_is_the_sources_own(finished: Finished) -> None:
    for cell in finished.results.cells:
        if cell.status == "skipped":
            continue
        hops = ["artifact", "served", "under_load"]
        assert [hop.hop for hop in cell.parity] == (["source", *hops] if cell.framework == "tensorflow" else hops)
        assert all(hop.max_rel_error is not None and hop.max_rel_error <= 1e-4 for hop in cell.parity)
        assert cell.quality is not None
        assert cell.quality.value == cell.quality.reference >= 0.97


def test_every_figure_of_a_cell_is_there(finished: Finished) -> None:
    for cell in finished.results.cells:
        if cell.status == "skipped":
            continue
        assert cell.export is not None
        assert cell.export.bytes > 100_000
        assert cell.deploy is not None
        assert cell.deploy.image_bytes is not None
        assert cell.deploy.memory_peak_bytes is not None
        assert cell.deploy.memory_peak_bytes >= cell.deploy.memory_idle_bytes > 20_000_000
        assert (cell.deploy.image_base_bytes is None) == (cell.engine == "process")
        assert len(cell.deploy.cold_start_s) == 2
        assert [load.workload for load in cell.loads] == ["steady", "closed"]
        for load in cell.loads:
            assert len(load.blocks) == 3
            assert {block.server_copy for block in load.blocks} == {0, 1}
            assert load.requests >= 90
            assert load.errors == 0
            assert load.latency_ms.p50 is not None
            assert load.cpu_ms_per_request is not None
            assert 0 < load.cpu_ms_per_request < 100


def test_cells_are_compared_with_intervals(finished: Finished) -> None:
    valid = [load for cell in finished.results.cells for load in cell.loads if load.workload == "closed" and load.valid]
    pairs = [c for c in finished.results.comparisons if (c.workload, c.metric) == ("closed", "achieved_rps")]
    assert len(pairs) == len(valid) * (len(valid) - 1) // 2
    assert all(pair.blocks == 3 and pair.ci95 is not None for pair in pairs)


def test_the_folder_holds_what_the_design_says(finished: Finished) -> None:
    folder = finished.folder
    for name in ("experiment.yaml", "environment.json", "results.json", "report.html", "report.md", "samples", "logs"):
        assert (folder / name).exists(), name
    described = json.loads((folder / "environment.json").read_text())
    assert described["packages"]["torch"].startswith("2.13")
    assert sorted(described["images"]) == [f"reference-{name}" for name in ("libtorch", "litert", "onnx", "tensorflow")]
    assert len(list(folder.glob("samples/*/*.parquet"))) >= 4 * 2 * 3
    assert any(folder.glob("logs/*reference-onnx*"))


def test_nothing_of_the_run_is_left(finished: Finished) -> None:
    assert driving.left_behind(finished.folder.name) == []


def test_without_a_terminal_progress_is_plain_lines(finished: Finished) -> None:
    assert "\x1b" not in finished.printed
    for stage in ("prepare", "export", "verify", "deploy", "warm-up", "block"):
        assert any(line.startswith(stage) for line in finished.printed.splitlines()), stage
