"""The map has a cell for each way out of each model; what cannot be is skipped with its reason."""

from __future__ import annotations

import pytest

from pipelines.errors import BadInput
from pipelines.matrix.cells import Cell, Ground, Model, Selection, Way, lay_out, parse

GROUND = Ground(
    models={
        "pair": Model("pair", True, "a pair"),
        "one_sided": Model("one_sided", False, "a case", absent={"tensorflow": "it has no such operator"}),
    },
    formats={
        "both": Way(("torch", "tensorflow"), ("fp32", "fp16"), server="reference"),
        "absent": Way(("torch",), ("fp32",), missing="pip install absent", server="reference"),
        "serverless": Way(("torch",), ("fp32",)),
    },
)


def test_every_combination_is_a_cell_or_a_skip() -> None:
    cells, skips = lay_out(GROUND, Selection())
    assert len(cells) == 6
    assert len({*cells, *(skip.cell for skip in skips)}) == 12


def test_a_skip_says_why() -> None:
    _, skips = lay_out(GROUND, Selection())
    reasons = {skip.cell.id: skip.reason for skip in skips}
    assert "it has no such operator" in reasons["one_sided/tensorflow/both/fp32"]
    assert reasons["pair/torch/absent/fp32"] == "pip install absent"
    assert "no server accepts format serverless" in reasons["pair/torch/serverless/fp32"]


def test_a_selection_narrows_every_field() -> None:
    cells, skips = lay_out(GROUND, Selection(("pair",), ("torch",), ("both",), ("fp16",)))
    assert (cells, skips) == ((Cell("pair", "torch", "both", "fp16"),), ())


@pytest.mark.parametrize(
    "asked",
    [
        Selection(models=("nobody",)),
        Selection(frameworks=("nobody",)),
        Selection(formats=("nobody",)),
        Selection(variants=("nobody",)),
    ],
)
def test_a_name_nobody_knows_is_refused(asked: Selection) -> None:
    with pytest.raises(BadInput, match="nobody"):
        lay_out(GROUND, asked)


def test_a_selection_without_cells_is_refused() -> None:
    with pytest.raises(BadInput, match="no cell"):
        lay_out(GROUND, Selection(formats=("absent",), variants=("fp16",)))


def test_an_id_is_parsed_to_its_cell() -> None:
    cell = Cell("pair", "torch", "both", "fp32")
    assert parse(cell.id) == cell


@pytest.mark.parametrize("text", ["", "pair", "pair/torch/both", "pair/torch/both/fp32/more"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="MODEL/FRAMEWORK/FORMAT/VARIANT"):
        parse(text)
