"""Batches made of single cases: their answers are the single ones', and their shapes as frequent."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import yaml

from models import zoo
from models.cases import Case
from pipelines import batching, experiments
from pipelines.errors import BadExperiment

LENGTHS = (3, 3, 3, 3, 5, 5, 7)
AXES = {"x": 0, "y": 0}


def cases() -> list[Case]:
    """One row each; the answer is its sum."""
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(1, length)) for length in LENGTHS]
    return [Case({"x": row}, {"y": row.sum(axis=1)}) for row in rows]


def test_a_batch_has_equal_shapes_and_the_answers_of_its_members() -> None:
    made = batching.batched(cases(), 3, 1, AXES)
    assert [case.inputs["x"].shape for case in made] == [(3, length) for length in LENGTHS]
    for case in made:
        np.testing.assert_allclose(case.outputs["y"], case.inputs["x"].sum(axis=1))


def test_members_repeat_only_where_there_are_too_few() -> None:
    made = batching.batched(cases(), 3, 1, AXES)
    distinct = Counter((case.inputs["x"].shape[1], len(np.unique(case.inputs["x"], axis=0))) for case in made)
    assert distinct[3, 3] == 4
    assert distinct[7, 1] == 1


def test_the_seed_draws_the_batches() -> None:
    first, again, other = (batching.batched(cases(), 3, seed, AXES)[0].inputs["x"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_batch_of_one_is_the_case_itself() -> None:
    single = cases()
    assert batching.batched(single, 1, 1, AXES) == tuple(single)


def test_a_state_is_joined_along_its_own_batch_axis() -> None:
    axes = batching.batch_axes("silero_vad")
    pair = zoo.load("silero_vad")
    states = [spec for spec in (*pair.inputs, *pair.outputs) if spec.shape[0] == 2]
    assert states
    assert all(axes[spec.name] == 1 for spec in states)
    single = [
        Case(dict(inputs), {spec.name: np.zeros((2, 1, 128)) for spec in states}) for inputs in pair.load_inputs()
    ]
    for case in batching.batched(single, 3, 1, axes)[:4]:
        assert {name: array.shape[axes[name]] for name, array in case.inputs.items()} == dict.fromkeys(case.inputs, 3)
        assert {array.shape for array in case.outputs.values()} == {(2, 3, 128)}


def test_a_model_that_is_no_pair_of_ours_has_no_batch_axis_known() -> None:
    assert batching.batch_axes("somebody_elses") == {}


def test_a_batch_larger_than_the_model_takes_is_bad_input() -> None:
    fields = {
        "name": "mine",
        "models": ["minilm"],
        "formats": ["onnx"],
        "load": {"workloads": [{"name": "w", "payload_batch": 512, "arrivals": {"kind": "closed", "users": 1}}]},
    }
    asked = experiments.parse(yaml.safe_dump(fields), "test")
    with pytest.raises(BadExperiment, match="'w': payload_batch is 512, but model 'minilm' takes batches of at most"):
        batching.check(asked)
