"""Exporters that crash, corrupt weights and freeze an axis, through the whole command: each costs its own cell only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
FAULTY = Path(__file__).parents[1] / "faulty"
FORMATS = ("crashing", "frozen_batch", "wrong_values")


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By format what the map says of it; looked at anew, whatever is known."""
    out = tmp_path_factory.mktemp("map")
    command = [str(Path(sys.executable).parent / "deploy-compare"), "export", "--matrix", "--refresh"]
    ended = subprocess.run(
        [*command, "--models", "digits_cnn", "--formats", ",".join(FORMATS), "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=out,
        env={
            **os.environ,
            "DEPLOY_COMPARE_FORMATS": str(FAULTY / "formats"),
            "DEPLOY_COMPARE_SERVERS": str(FAULTY / "servers"),
        },
    )
    # A broken way out is an outcome that was observed; only what was not observed makes the map fail.
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads((out / "map.json").read_text())["entries"]
    return {entry["format"]: entry for entry in found}


def test_each_fault_costs_its_own_cell(entries: dict[str, dict[str, Any]]) -> None:
    assert {name: entry["outcome"] for name, entry in entries.items()} == {
        "crashing": "converter_crash",
        "frozen_batch": "lost_dynamic_axis",
        "wrong_values": "wrong_values",
    }


def test_a_crash_names_its_signal_and_left_no_artifact(entries: dict[str, dict[str, Any]]) -> None:
    crashed = entries["crashing"]
    assert "SIGSEGV" in crashed["detail"]
    assert "crashing.py" in crashed["log"]
    assert crashed["export"] is None


def test_corrupted_weights_are_told_by_their_error_alone(entries: dict[str, dict[str, Any]]) -> None:
    wrong = entries["wrong_values"]
    assert wrong["detail"].startswith("relative error")
    assert wrong["artifact"]["passed"] is False
    assert wrong["export"]["bytes"] > 0


def test_a_frozen_axis_is_told_by_the_sizes_that_got_no_answer(entries: dict[str, dict[str, Any]]) -> None:
    frozen = entries["frozen_batch"]
    assert frozen["export"]["fixed"] == {}, "the artifact does not admit it"
    assert "batch 1 answered" in frozen["detail"]
    assert max(frozen["sizes"]["batch"]) > 1
