"""What an artifact is asked in the process that has only its runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import cases
from models.cases import Case
from pipelines import check
from serving.reference.artifact import Manifest, Tensor


def case(batch: int, history: int) -> Case:
    return Case({"ids": np.zeros((batch, history), np.int64)}, {"score": np.zeros(batch, np.float32)})


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    cases.save(tmp_path / "parity.npz", [case(1, 1), case(3, 7)])
    cases.save(tmp_path / "load.npz", [case(1, 16), case(1, 16), case(1, 9)])
    return tmp_path


def declaring(*shape: int | str) -> Manifest:
    ids = Tensor("ids", "int64", shape)
    return Manifest("model", "torch", "litert", "fp32", "model.tflite", (ids,), (), {}, {}, 1.0)


def asked(reference: Path, *shape: int | str) -> list[tuple[int, ...]]:
    return [one.inputs["ids"].shape for one in check._asked(declaring(*shape), reference)]


def test_an_artifact_is_asked_at_the_sizes_it_fixes_first(reference: Path) -> None:
    assert asked(reference, 1, 16) == [(1, 16), (1, 1), (3, 7)]


@pytest.mark.parametrize("shape", [("batch", "history"), (3, "history"), (3, 7), (3, 8)])
def test_where_the_parity_inputs_have_these_sizes_or_nothing_has_they_are_all(
    reference: Path, shape: tuple[int | str, ...]
) -> None:
    assert asked(reference, *shape) == [(1, 1), (3, 7)]
