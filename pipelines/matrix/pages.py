"""The map as files: `map.json` for tools, `map.html` (one file, opens offline), `map.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines import store
from pipelines.figures import duration, number
from pipelines.matrix import document
from pipelines.matrix.document import Entry, Map, NotOffered, Row
from pipelines.matrix.observe import AGAIN_WITHIN_S
from pipelines.matrix.outcome import OUTCOMES

JSON, HTML, MARKDOWN = "map.json", "map.html", "map.md"

SYMBOLS = {
    "ok": ("✓", "ok"),
    "wrong_values": ("≠", "values"),
    "lost_dynamic_axis": ("↔", "axis"),
    "converter_error": ("✗", "error"),
    "converter_crash": ("↯", "crash"),
    "unsupported_operator": ("∅", "op"),
    "does_not_load": ("⊘", "load"),
    "too_slow": ("◷", "slow"),
    "not_observed": ("?", "unseen"),
    "skipped": ("–", "skip"),
}
"""A sign and a short word for each outcome, beside its colour: no reader depends on one of them."""

VARIANTS = {"fp32": 0, "fp16": 1, "int8_dynamic": 2, "int8_static": 3}


@dataclass(frozen=True)
class Column:
    framework: str
    format: str
    variants: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.variants)


@dataclass(frozen=True)
class Breakage:
    """One cause, and the cells it cost."""

    outcome: str
    cause: str
    entries: tuple[Entry, ...]

    @property
    def formats(self) -> list[str]:
        return sorted({f"{entry.format} ({entry.framework})" for entry in self.entries})

    @property
    def models(self) -> list[str]:
        return sorted({entry.model for entry in self.entries})


@dataclass(frozen=True)
class Gap:
    """Precisions that one way out does not write, for one reason."""

    framework: str
    format: str
    variants: tuple[str, ...]
    reason: str


def write(made: Map, out: Path) -> None:
    """All three files."""
    store.write(out / JSON, document.to_json(made))
    store.write(out / HTML, render(made, html=True))
    store.write(out / MARKDOWN, render(made, html=False))


def render(made: Map, *, html: bool) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("pipelines.matrix", "templates"),
        autoescape=html,  # logs and names come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["duration"] = duration
    environment.filters["row"] = lambda text: " ".join(str(text).replace("|", "\\|").split())
    # Inside a script element `</script` would end it, and `<!--` with `<script` would keep it from ending.
    environment.filters["script"] = lambda text: Markup(str(text).replace("<", "\\u003c"))
    cells = {entry.id: index for index, entry in enumerate(made.entries)}
    template = environment.get_template("map.html.j2" if html else "map.md.j2")
    return template.render(
        made=made,
        json=document.to_json(made) if html else "",
        again_within_s=AGAIN_WITHIN_S,
        outcomes=OUTCOMES,
        symbols=SYMBOLS,
        columns=list(columns(made.entries)),
        groups=[(title, rows) for title, rows in groups(made.rows) if rows],
        index=cells,
        breakages=breakages(made.entries),
        gaps=gaps(made.not_offered),
        entries={entry.id: entry for entry in made.entries},
    )


def columns(entries: Sequence[Entry]) -> Iterator[Column]:
    """Framework and format, with the variants that it has cells of."""
    for framework, format in document.columns(entries):
        found = {entry.variant for entry in entries if (entry.framework, entry.format) == (framework, format)}
        yield Column(framework, format, tuple(sorted(found, key=lambda name: (VARIANTS.get(name, 9), name))))


def groups(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    return [
        ("Model pairs", [row for row in rows if row.is_pair]),
        ("Hard cases", [row for row in rows if not row.is_pair]),
    ]


def gaps(absent: Sequence[NotOffered]) -> list[Gap]:
    """The precisions that are not offered, those of one way out and one reason together."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in absent:
        found[one.framework, one.format, one.reason].append(one.variant)
    return [Gap(framework, format, tuple(variants), reason) for (framework, format, reason), variants in found.items()]


def breakages(entries: Sequence[Entry]) -> list[Breakage]:
    """What breaks, the cause that costs most cells first."""
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.outcome not in {"ok", "skipped"}:
            found[entry.outcome, entry.cause or ""].append(entry)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Breakage(outcome, cause, tuple(cells)) for (outcome, cause), cells in ordered]
