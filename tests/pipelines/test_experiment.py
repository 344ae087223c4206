"""An experiment: strict, and every fault is one line with its path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import experiments
from pipelines.errors import BadExperiment
from pipelines.experiment import ReplayArrivals

GOOD: dict[str, Any] = {
    "name": "mine",
    "models": ["digits_cnn"],
    "formats": ["onnx"],
    "load": {"workloads": [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": 10}}]},
}


def with_arrivals(arrivals: dict[str, object]) -> dict[str, object]:
    return {"workloads": [{"name": "w", "arrivals": arrivals}]}


def test_every_experiment_that_comes_along_parses_under_its_own_name() -> None:
    assert [experiments.load(name).name for name in experiments.names()] == experiments.names()


def test_an_experiment_survives_being_written_down() -> None:
    default = experiments.load("default")
    assert experiments.parse(experiments.dump(default), "copy") == default


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modles": ["digits_cnn"]}, "modles: unknown key"),
        ({"models": []}, "models: tuple should have at least 1 item"),
        ({"models": ["a", "a"]}, "models lists 'a' more than once"),
        ({"load": {"workloads": []}}, "load.workloads: tuple should have at least 1 item"),
        (
            {"load": {"workloads": [{"name": "w", "arrivals": {"kind": "open", "rate_rps": -3}}]}},
            "load.workloads.0.arrivals.open.rate_rps: input should be greater than 0 (found -3)",
        ),
        (
            {"load": {"workloads": [{"name": "w", "arrivals": {"kind": "open", "rate_rps": float("nan")}}]}},
            "rate_rps: input should be a finite number",
        ),
        (
            {"load": {"workloads": [{"name": "w", "models": ["x"], "arrivals": {"kind": "closed", "users": 1}}]}},
            "names model 'x', which the experiment does not compare",
        ),
        (
            {
                "models": ["a", "b"],
                "load": {"workloads": [{"name": "w", "models": ["a"], "arrivals": {"kind": "closed", "users": 1}}]},
            },
            "load.workloads: none of them loads model 'b'",
        ),
        (
            {"load": {**GOOD["load"], "block_s": 1e300}},
            "load.block_s: input should be less than or equal to 3600 (found 1e+300)",
        ),
        (
            {"load": with_arrivals({"kind": "ramp", "from_rps": 0, "to_rps": 0})},
            "load.workloads.0.arrivals.ramp: from_rps and to_rps are both 0",
        ),
        (
            {"load": with_arrivals({"kind": "burst", "rate_rps": 1, "burst_rps": 9, "every_s": 1, "burst_s": 2})},
            "load.workloads.0.arrivals.burst: burst_s is 2, but a burst ends before the next",
        ),
        ({"load": {**GOOD["load"], "capacity": [{"slo": {}}]}}, "an SLO bounds at least one of"),
        (
            {"load": {**GOOD["load"], "capacity": [{"slo": {"p99_ms": 9}, "models": ["x"]}]}},
            "load.capacity names model 'x', which the experiment does not compare",
        ),
        (
            {"load": {**GOOD["load"], "capacity": [{"slo": {"p99_ms": 9}}, {"slo": {"p50_ms": 9}}]}},
            "load.capacity: model 'digits_cnn' has more than one search",
        ),
        ({"cold_starts": True}, "cold_starts is true, which is neither a number nor a name"),
        ({"load": {**GOOD["load"], "block_s": 1e-9}}, "load.block_s: input should be greater than or equal to 0.01"),
        ({"frameworks": ["x" * 100_000]}, "(found '" + "x" * 199 + "…)"),
        ({"cold_starts": 2, "copies": 3}, "copies is 3, but only 2 are started: raise cold_starts"),
        ({"name": "../escape"}, "name: string should match pattern"),
        ({"frameworks": ["jax"]}, "frameworks.0: input should be 'torch' or 'tensorflow' (found 'jax')"),
    ],
)
def test_a_fault_is_named_with_its_path(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadExperiment, match=re.escape(said)) as caught:
        experiments.parse(yaml.safe_dump(GOOD | change), "mine.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("; ") == 0  # one fault, one line: none of pydantic's consequences


@pytest.mark.parametrize(
    "text", ["", "- a\n- b", "name: [", "just words", "\t: x", "name: a\nname: b", "name: 2020-13-45"]
)
def test_what_is_no_mapping_is_one_line(text: str) -> None:
    with pytest.raises(BadExperiment, match=r"^mine\.yaml: ") as caught:
        experiments.parse(text, "mine.yaml")
    assert "\n" not in str(caught.value)


def test_a_recording_is_looked_for_beside_the_experiment(tmp_path: Path) -> None:
    text = yaml.safe_dump(GOOD | {"load": with_arrivals({"kind": "replay", "file": "day.csv"})})
    (tmp_path / "mine.yaml").write_text(text)
    arrivals = experiments.load(str(tmp_path / "mine.yaml")).load.workloads[0].arrivals
    assert isinstance(arrivals, ReplayArrivals)
    assert arrivals.file == str(tmp_path / "day.csv")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadExperiment, match="unknown experiment 'defualt'; known: default, smoke"):
        experiments.load("defualt")
