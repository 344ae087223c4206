"""The requests a load draws from, as an `.npz`: one entry `<index>/<tensor name>` per input tensor."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from loadtests.errors import PayloadError

Tensors = dict[str, np.ndarray]
"""Arrays by tensor name."""


def save(path: str | Path, inputs: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Write the requests, whole or not at all; raises `PayloadError` where there are none or the disk refuses."""
    if not inputs or not all(inputs):
        raise PayloadError(f"{path}: expected at least one request of at least one tensor")
    write_arrays(path, {f"{index}/{name}": array for index, each in enumerate(inputs) for name, array in each.items()})


def load(path: str | Path) -> list[Tensors]:
    """Read what `save` wrote; raises `PayloadError` where the file is missing, malformed or holds no requests."""
    inputs = split_arrays(path, read_arrays(path))
    if not inputs:
        raise PayloadError(f"{path}: holds no requests")
    return inputs


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an `.npz` under its final name only when it is complete; raises `PayloadError`."""
    partial = Path(f"{path}.partial")
    try:
        with partial.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
        os.replace(partial, path)
    except (OSError, ValueError) as exc:
        partial.unlink(missing_ok=True)
        raise PayloadError(f"{path}: cannot be written: {exc}") from exc


def read_arrays(path: str | Path) -> Tensors:
    """Read all arrays of an `.npz`, by name; raises `PayloadError`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as exc:
        raise PayloadError(f"{path}: expected an .npz of tensors: {exc}") from exc


def split_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> list[Tensors]:
    """Group entries `<index>/<tensor name>` by index, which must count up from 0; raises `PayloadError`."""
    groups: dict[int, Tensors] = {}
    for key, array in arrays.items():
        index, slash, name = key.partition("/")
        if not slash or not index.isdecimal():
            raise PayloadError(f"{path}: expected entries named '<index>/<tensor>', found {key!r}")
        groups.setdefault(int(index), {})[name] = array
    if sorted(groups) != list(range(len(groups))):
        raise PayloadError(f"{path}: expected entries 0 to {len(groups) - 1}, found {sorted(groups)}")
    return [groups[index] for index in range(len(groups))]
