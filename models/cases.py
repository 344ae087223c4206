"""Inputs with the answers of the source, and how they are kept in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.pair import Tensors


@dataclass(frozen=True)
class Case:
    """One request and what the torch source answers to it."""

    inputs: Tensors
    outputs: Tensors


@dataclass(frozen=True)
class Reference:
    """The torch source's answers on everything a model pair is judged on, in the pair's own order."""

    parity: tuple[Case, ...]
    """Several sizes of every dynamic axis."""
    load: tuple[Case, ...]
    """Batch 1: the requests of a load test."""
    evaluation: tuple[Case, ...]
    """The held-out set in batches."""


SETS = ("parity", "load", "evaluation")


def save(path: Path, cases: Sequence[Case]) -> None:
    """Write cases to an `.npz`; entries are `<index>/inputs/<tensor>` and `<index>/outputs/<tensor>`.

    Arrays of `bytes` (dtype `object`) are kept at a fixed width, since an archive without pickle has no objects.
    """
    arrays = {
        f"{index:05d}/{side}/{name}": array.astype(np.bytes_) if array.dtype == object else array
        for index, case in enumerate(cases)
        for side, tensors in (("inputs", case.inputs), ("outputs", case.outputs))
        for name, array in tensors.items()
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes every keyword for `allow_pickle`


def load(path: Path) -> tuple[Case, ...]:
    """Read what `save` wrote; raises OSError, EOFError, ValueError or `zipfile.BadZipFile` where it is not that."""
    cases: dict[int, Case] = {}
    # Opened here, because np.load does not close a file that turns out not to be an archive.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        for entry in archive.files:
            index, side, name = entry.split("/", 2)
            case = cases.setdefault(int(index), Case({}, {}))
            array = archive[entry]
            kept = array.astype(object) if array.dtype.kind == "S" else array
            (case.inputs if side == "inputs" else case.outputs)[name] = kept
    return tuple(cases[index] for index in sorted(cases))
