"""The results of the workers of one block as one result: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np

from loadtests.block import ErrorKind
from loadtests.samples import Samples


def samples(parts: Sequence[Samples]) -> Samples:
    """All requests of one block, in the order they were intended; raises ValueError without any part."""
    if not parts:
        raise ValueError("expected the samples of at least one worker")
    order = np.argsort(np.concatenate([part.intended for part in parts]), kind="stable")
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])[order]
        for field in fields(Samples)
        if isinstance(getattr(parts[0], field.name), np.ndarray)
    }
    return Samples(**columns, duration_s=parts[0].duration_s, open=parts[0].open)


def error_kinds(parts: Iterable[Sequence[ErrorKind]]) -> tuple[ErrorKind, ...]:
    """Counts added up, most frequent first; the example is that of the first worker that saw one."""
    found: dict[str, ErrorKind] = {}
    for kind in (kind for part in parts for kind in part):
        known = found.get(kind.kind)
        count = kind.count + (known.count if known else 0)
        found[kind.kind] = ErrorKind(kind.kind, count, (known or kind).example)
    return tuple(sorted(found.values(), key=lambda each: -each.count))
