"""Which cells the map has, and which of them cannot be. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.errors import BadInput
from pipelines.plan import check_names

FRAMEWORKS = ("torch", "tensorflow")


@dataclass(frozen=True, order=True)
class Cell:
    """One way out of one framework for one model."""

    model: str
    framework: str
    format: str
    variant: str

    @property
    def id(self) -> str:
        return "/".join((self.model, self.framework, self.format, self.variant))


@dataclass(frozen=True)
class Model:
    """A model pair or a hard case, as far as the map is concerned."""

    name: str
    is_pair: bool
    summary: str
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a framework has no equivalent, where it has none."""
    fault: str | None = None
    """What is missing here to build it, and how to get it."""


@dataclass(frozen=True)
class Way:
    """A format: from where, how precise, and what runs it."""

    frameworks: Sequence[str]
    variants: Sequence[str]
    missing: str | None = None
    """The packages that are not installed, and the command that gets them."""
    server: str | None = None
    """The one in whose environment its artifacts are checked."""
    not_offered: Mapping[str, str] = field(default_factory=dict)
    """By variant that the format has not, the reason it gives."""


@dataclass(frozen=True)
class Ground:
    """Everything that discovery found, by name."""

    models: Mapping[str, Model]
    formats: Mapping[str, Way]

    @property
    def variants(self) -> list[str]:
        """Every precision that some format writes."""
        return sorted({variant for way in self.formats.values() for variant in way.variants})


@dataclass(frozen=True)
class Selection:
    """Which part of the map is asked for; an empty field asks for all."""

    models: Sequence[str] = ()
    frameworks: Sequence[str] = ()
    formats: Sequence[str] = ()
    variants: Sequence[str] = ()


@dataclass(frozen=True)
class Skip:
    """A cell that cannot be, and why."""

    cell: Cell
    reason: str


def lay_out(ground: Ground, asked: Selection) -> tuple[tuple[Cell, ...], tuple[Skip, ...]]:
    """Every cell asked for: those to observe, and those that cannot be. Raises `BadInput` for a name nobody knows."""
    check_names("model", "--models", asked.models, tuple(ground.models))
    check_names("framework", "--frameworks", asked.frameworks, FRAMEWORKS)
    check_names("format", "--formats", asked.formats, tuple(ground.formats))
    check_names("variant", "--variants", asked.variants, ground.variants)
    cells: list[Cell] = []
    skips: list[Skip] = []
    for model, (name, way) in itertools.product(ground.models.values(), ground.formats.items()):
        if not _wanted(model.name, asked.models) or not _wanted(name, asked.formats):
            continue
        for framework, variant in itertools.product(way.frameworks, way.variants):
            if _wanted(framework, asked.frameworks) and _wanted(variant, asked.variants):
                cell = Cell(model.name, framework, name, variant)
                reason = _impossible(cell, model, way)
                if reason:
                    skips.append(Skip(cell, reason))
                else:
                    cells.append(cell)
    if not cells and not skips:
        raise BadInput("no cell has that framework, format and variant: see deploy-compare list formats")
    return tuple(cells), tuple(skips)


def parse(text: str) -> Cell:
    """The cell of an id; raises `BadInput`."""
    parts = text.split("/")
    if len(parts) != 4:
        raise BadInput(f"expected MODEL/FRAMEWORK/FORMAT/VARIANT, found {text!r}")
    return Cell(*parts)


def _wanted(name: str, asked: Sequence[str]) -> bool:
    return not asked or name in asked


def _impossible(cell: Cell, model: Model, way: Way) -> str | None:
    if cell.framework in model.absent:
        return f"no honest equivalent in {cell.framework}: {model.absent[cell.framework]}"
    if way.server is None:
        return f"no server accepts format {cell.format}, so that nothing could run it"
    return way.missing or model.fault
