"""What a result was made from, as one hash: files by their content, packages by their version."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

from models import catalog, hard_cases, zoo
from models.pair import ModelPair


def model_files(name: str) -> list[Path]:
    """Everything of ours that decides what a model answers, its canonical weights included; raises `ModelError`."""
    shared = list(Path(__file__).parent.glob("*.py"))
    matched = catalog.load(name)
    if isinstance(matched, ModelPair):
        return [*shared, *sources(Path(str(zoo.module(name).__file__)).parent), matched.weights()]
    own = Path(str(hard_cases.module(name).__file__))
    return [*shared, own, *own.parent.glob("_*.py"), *Path(hard_cases.__file__).parent.glob("_*.py")]


def model_packages(name: str) -> tuple[str, ...]:
    """The distributions whose versions decide what a model answers."""
    if name in hard_cases.names():
        return hard_cases.PACKAGES
    packages: tuple[str, ...] = zoo.module(name).PACKAGES
    return packages


def sources(folder: Path) -> list[Path]:
    """The files below a folder, without what Python and editors leave there, and what is for people to read (`.md`)."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".md"
        and not any(part == "__pycache__" or part[0] == "." for part in path.parts[len(folder.parts) :])
    ]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions by distribution name, and Python's; raises `PackageNotFoundError`. Imports none of them."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in sorted(set(packages))}


@cache
def environment() -> str:
    """sha256 (hex) of every installed distribution's version."""
    found = sorted(f"{item.metadata['Name']}=={item.version}" for item in metadata.distributions())
    return hashlib.sha256("\n".join([platform.python_version(), *found]).encode()).hexdigest()


def digest(words: Iterable[str], files: Iterable[Path]) -> str:
    """sha256 (hex) of words and files; where the files are does not matter, only what they are called and hold."""
    lines = sorted(f"{path.name} {_sha256(path)}" for path in set(files))
    return hashlib.sha256("\n".join([*words, *lines]).encode()).hexdigest()


@cache
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
