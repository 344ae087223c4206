"""An experiment: strict, and every fault is one line with its path."""

from __future__ import annotations

import re

import pytest
import yaml

from pipelines import experiment
from pipelines.errors import BadExperiment

GOOD = {
    "name": "mine",
    "models": ["digits_cnn"],
    "formats": ["onnx"],
    "load": {"workloads": [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": 10}}]},
}


def test_every_experiment_that_comes_along_parses_under_its_own_name() -> None:
    assert [experiment.load(name).name for name in experiment.names()] == experiment.names()


def test_an_experiment_survives_being_written_down() -> None:
    default = experiment.load("default")
    assert experiment.parse(experiment.dump(default), "copy") == default


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
            {"load": {**GOOD["load"], "block_s": 1e300}},  # type: ignore[dict-item]
            "load.block_s: input should be less than or equal to 3600 (found 1e+300)",
        ),
        ({"name": "../escape"}, "name: string should match pattern"),
        ({"frameworks": ["jax"]}, "frameworks.0: input should be 'torch' or 'tensorflow' (found 'jax')"),
    ],
)
def test_a_fault_is_named_with_its_path(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadExperiment, match=re.escape(said)) as caught:
        experiment.parse(yaml.safe_dump(GOOD | change), "mine.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "- a\n- b", "name: [", "just words", "\t: x", "name: a\nname: b", "name: 2020-13-45"]
)
def test_what_is_no_mapping_is_one_line(text: str) -> None:
    with pytest.raises(BadExperiment, match=r"^mine\.yaml: ") as caught:
        experiment.parse(text, "mine.yaml")
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadExperiment, match="unknown experiment 'defualt'; known: default, smoke"):
        experiment.load("defualt")
