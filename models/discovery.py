"""Finds what one file or folder adds to a package: beside ours, and in the one folder that a variable names."""

from __future__ import annotations

import os
import pkgutil
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from models.errors import BadPlugin, NameTaken

T = TypeVar("T")


def modules(places: Iterable[str], variable: str) -> dict[str, Path]:
    """The files of the modules in these folders by name, sorted; of a package its `__init__.py`. Imports none.

    Names that begin with `_` are left out: what others share. But they too may be there only once.
    Raises `BadPlugin` where the variable names no folder, and `NameTaken`, since Python would just import the first.
    """
    _check_folder(variable)
    found: dict[str, Path] = {}
    for place in places:
        for module in pkgutil.iter_modules([place]):
            path = Path(place, module.name, "__init__.py") if module.ispkg else Path(place, f"{module.name}.py")
            if module.name in found:
                raise NameTaken(module.name, found[module.name], path)
            found[module.name] = path
    return {name: path for name, path in sorted(found.items()) if not name.startswith("_")}


def load(name: str, path: Path, holds: Sequence[str]) -> ModuleType:
    """Import the module of that file; raises `BadPlugin` where that fails, or where it holds not all of `holds`."""
    try:
        module = import_module(name)
    except (Exception, SystemExit) as exc:
        raise BadPlugin(_fault(path, exc)) from exc
    for held in holds:
        if not hasattr(module, held):
            raise BadPlugin(f"{path}: has no {held}; needed are {', '.join(holds)}")
    return module


def made(module: ModuleType, function: str, kind: type[T]) -> T:
    """What the module's function makes; raises `BadPlugin` where it raises, or makes something else."""
    path = Path(str(module.__file__))
    try:
        found = getattr(module, function)()
    except Exception as exc:
        raise BadPlugin(_fault(path, exc)) from exc
    if not isinstance(found, kind):
        raise BadPlugin(f"{path}: expected a {kind.__name__} of {function}(), found {found!r}")
    return found


def _check_folder(variable: str) -> None:
    folder = os.environ.get(variable)
    if folder and not (Path(folder).is_absolute() and Path(folder).is_dir()):
        raise BadPlugin(f"{variable}: expected the absolute path of a folder that exists, found {folder!r}")


def _fault(path: Path, exc: BaseException) -> str:
    """The file, the line of it that led there, and what was raised: the traceback is not shown."""
    lines = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if Path(frame.filename) == path]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{where}: {type(exc).__name__}: {exc}"
