"""Export formats, found by discovery: one file each, its name is the format's name everywhere.

A format's module imports no framework at its top and holds

    FRAMEWORKS   the frameworks whose models it takes: "torch", "tensorflow"
    VARIANTS     the precisions it can write: "fp32", …
    PACKAGES     distributions whose versions decide what it writes; part of the cache key and of the manifest
    EXTRA        the optional group of dependencies that brings them: `None` (the project itself), "executorch", …
    export(matched, framework, variant, folder) -> Exported
    operators(path) -> int | None

and, where it can tell,

    NOT_OFFERED                 why there is no such variant, by its name
    TOOLS                       programs it needs beside packages, by name, and how to get each on Debian
    quantized(path) -> int      tensors or operators of the entry that are of 8 bits
    preload()                   does once what every process would do again: the map forks its exports from there

Formats do not import each other: what two of them share is in a `_file.py`, and all of those enter the cache key.
`DEPLOY_COMPARE_FORMATS` names one more folder (an absolute path) to find such files in.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Protocol, cast

from models import discovery
from models.pair import Matched, TensorSpec

PLUGINS = "DEPLOY_COMPARE_FORMATS"

if os.environ.get(PLUGINS):
    __path__.append(os.environ[PLUGINS])

CONTRACT = ("FRAMEWORKS", "VARIANTS", "PACKAGES", "EXTRA", "export", "operators")


class UnknownFormat(Exception):
    """No file of this package has this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown format '{name}'; known: {', '.join(known)}")


@dataclass(frozen=True)
class Exported:
    """What an exporter wrote into its folder."""

    entry: str
    """The file or folder a runtime opens, relative to the folder."""
    inputs: tuple[TensorSpec, ...]
    """As the artifact binds them, in positional order."""
    outputs: tuple[TensorSpec, ...]


class Format(Protocol):
    """The module of a format."""

    __file__: str
    FRAMEWORKS: tuple[str, ...]
    VARIANTS: tuple[str, ...]
    PACKAGES: tuple[str, ...]
    EXTRA: str | None

    def export(self, matched: Matched, framework: str, variant: str, folder: Path) -> Exported:
        """Write the artifact's files into the empty folder; raises whatever the converter raises."""

    def operators(self, path: Path) -> int | None:
        """How many operators the entry at `path` has, all subgraphs together; None where the format cannot tell."""


def missing(name: str) -> str | None:
    """How to get what a format needs and this environment has not; None where nothing is missing.

    Raises `UnknownFormat` or `BadPlugin`. Imports no framework.
    """
    wanted = load(name)
    absent = [package for package in wanted.PACKAGES if not _installed(package)]
    if absent:
        remedy = f"make extras EXTRAS={wanted.EXTRA}" if wanted.EXTRA else "make setup"
        return f"{', '.join(absent)} not installed; get it with: {remedy}"
    for program, remedy in tools(wanted).items():
        if shutil.which(program) is None:
            return f"{program} not installed; get it with: {remedy}"
    return None


def not_offered(wanted: Format) -> Mapping[str, str]:
    """Why a format has no such variant, by the variant's name, as far as it says."""
    found: Mapping[str, str] = getattr(wanted, "NOT_OFFERED", {})
    return found


def tools(wanted: Format) -> Mapping[str, str]:
    """Programs that a format needs, and how to get each."""
    found: Mapping[str, str] = getattr(wanted, "TOOLS", {})
    return found


def preloading(wanted: Format) -> Callable[[], None] | None:
    """What a format does once before its exports, where it does anything."""
    found: Callable[[], None] | None = getattr(wanted, "preload", None)
    return found


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


@cache
def files() -> dict[str, Path]:
    """The file of each format by its name, sorted; raises `BadPlugin`."""
    return discovery.modules(__path__, PLUGINS)


def names() -> tuple[str, ...]:
    """Names of all formats, sorted; raises `BadPlugin`."""
    return tuple(files())


def load(name: str) -> Format:
    """The module of a format; raises `UnknownFormat` or `BadPlugin`. Imports no framework."""
    if name not in files():
        raise UnknownFormat(name, names())
    return cast(Format, discovery.load(f"{__name__}.{name}", files()[name], CONTRACT))
