"""The twin is held against the torch source where there is one, and a twin is never held against itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import artifacts, worker


@pytest.mark.parametrize(
    ("model", "framework", "expected"),
    [("sort", "tensorflow", True), ("sort", "torch", False), ("string_input", "tensorflow", False)],
)
def test_a_source_hop_needs_a_twin_and_a_torch_source(model: str, framework: str, expected: bool) -> None:
    assert artifacts.has_source_hop(model, framework) is expected


@pytest.mark.slow
def test_a_twin_without_torch_source_has_no_source_parity(tmp_path: Path) -> None:
    for _ in range(2):  # exported, and then from the cache
        made = artifacts.export("string_input", "tensorflow", "savedmodel", "fp32", tmp_path)
        assert not (made.folder.parent / worker.SOURCE_PARITY).exists()
    assert made.cached
    assert [hop.hop for hop in artifacts.verify(made, "tensorflow", tmp_path)] == ["artifact"]
