"""The scorecard in words: the four rows over all models, and one sentence a model. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.figures import number
from pipelines.scorecard.lines import FRAMEWORKS, Axis, AxisRow, Line


def row(axis: Axis, lines: Sequence[Line]) -> AxisRow:
    """One axis over all models: the best path's figures of each framework, and who leads where."""
    metrics = dict.fromkeys(line.metric for line in lines)
    by_metric = {metric: [line for line in lines if line.metric == metric] for metric in metrics}
    sides = {framework: tuple(_figures(group, framework) for group in by_metric.values()) for framework in FRAMEWORKS}
    return AxisRow(axis, sides["torch"], sides["tensorflow"], tuple(_leads(group) for group in by_metric.values()))


def _figures(group: Sequence[Line], framework: str) -> str:
    """`latency p50: 0.48 ms (onnx)`, with the models' names where there is more than one."""
    parts = []
    for line in group:
        side = line.side(framework)
        model = f"{line.model} " if len(group) > 1 else ""
        if line.axis == "reach":
            parts.append(f"{model}{len(side.paths)} of {side.tried}")
        elif side.best:
            parts.append(f"{model}{number(side.best.value)} {line.unit} ({side.best.label})")
        else:
            parts.append(f"{model}–")
    return f"{group[0].metric}: {' · '.join(parts)}"


def _leads(group: Sequence[Line]) -> str:
    """Who leads on one metric: the same leader of all models in one phrase, else model by model."""
    phrases = [_lead(line) for line in group]
    if len(group) == 1 or (len(set(phrases)) == 1 and group[0].leader is None):
        return phrases[0]
    return " · ".join(f"{line.model} {phrase}" for line, phrase in zip(group, phrases, strict=True))


def _lead(line: Line) -> str:
    if line.leader is None:
        return "no difference shown"
    return f"{FRAMEWORKS[line.leader]} {_times(line.factor)}".strip()


def _times(factor: float | None) -> str:
    return f"{factor:.2f}×" if factor and factor < 10 else f"{factor:.0f}×" if factor else ""


def sentence(model: str, lines: Sequence[Line]) -> str:
    """The verdict on one model: what works, what each framework leads on by its best path, what is open."""
    reach = next(line for line in lines if line.axis == "reach")
    judged = [
        line for line in lines if line.axis in ("footprint", "speed") and line.torch.best and line.tensorflow.best
    ]
    parts = [reach.evidence]
    for framework, name in FRAMEWORKS.items():
        leads = [_claim(line, framework) for line in judged if line.leader == framework]
        if leads:
            parts.append(f"{name}'s best path leads on {_list(leads)}")
    undecided = [line.metric for line in judged if line.leader is None]
    if undecided:
        parts.append(f"no difference shown in {_list(undecided)}")
    if not judged:
        parts.append("nothing to compare")
    return f"{model}: {'; '.join(parts)}."


def _claim(line: Line, framework: str) -> str:
    best = line.side(framework).best
    assert best is not None
    return f"{line.metric} ({best.label} {number(best.value)} {line.unit}, {_times(line.factor)})"


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
