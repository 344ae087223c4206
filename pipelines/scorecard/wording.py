"""The scorecard in words: a framework's figure, a lead, and one sentence a model. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.figures import number
from pipelines.scorecard.lines import FRAMEWORKS, Gap, Line, Path


def best(line: Line, framework: str) -> str:
    """`0.48 ms (onnx)`: the best path's figure; on reach `2 of 2`; `–` where there is none."""
    side = line.side(framework)
    if line.axis == "reach":
        return f"{len(side.paths)} of {side.tried}"
    if side.best is None:
        return "–"
    return f"{_figure(side.best)} {line.unit} ({side.best.label})"


def paths(line: Line, framework: str) -> str:
    """`onnx 0.48 · torchscript 0.62`: all paths, best first."""
    if line.axis == "reach":
        return " · ".join(path.label for path in line.side(framework).paths) or "none"
    return " · ".join(f"{path.label} {_figure(path)}" for path in line.side(framework).paths) or "–"


def others(line: Line, framework: str) -> str:
    """`torchscript 0.62`: the paths that are not the best one; all of them on reach."""
    if line.axis == "reach":
        return paths(line, framework)
    return " · ".join(f"{path.label} {_figure(path)}" for path in line.side(framework).paths[1:])


def lead(line: Line) -> str:
    """`PyTorch 1.31×`, or `no difference shown`."""
    if line.leader is None:
        return "no difference shown"
    bound = "≥ " if line.bounded and line.factor else ""
    return f"{FRAMEWORKS[line.leader]} {bound}{_times(line.factor)}".strip()


def _figure(path: Path) -> str:
    return f"≥ {number(path.value)}" if path.at_least else number(path.value)


def _times(factor: float | None) -> str:
    return f"{factor:.2f}×" if factor and factor < 10 else f"{factor:.0f}×" if factor else ""


def gap(missing: Gap) -> str:
    """`no load is valid`, or `steady and closed: no load is valid`"""
    return f"{_list(missing.workloads)}: {missing.why}" if missing.workloads else missing.why


def sentence(model: str, lines: Sequence[Line], gaps: Sequence[Gap]) -> str:
    """The verdict on one model: what works, what each framework leads on by its best path, what is open or unjudged."""
    reach = next(line for line in lines if line.axis == "reach")
    judged = [
        line
        for line in lines
        if line.headline and line.axis in ("footprint", "speed") and line.torch.best and line.tensorflow.best
    ]
    parts = [reach.evidence]
    for framework, name in FRAMEWORKS.items():
        leads = [_claim(line, framework) for line in judged if line.leader == framework]
        if leads:
            parts.append(f"{name}'s best path leads on {_list(leads)}")
    undecided = [line.name for line in judged if line.leader is None]
    if undecided:
        parts.append(f"no difference shown in {_list(undecided)}")
    if not judged:
        parts.append("nothing to compare")
    if any(reach.side(framework).paths for framework in FRAMEWORKS):  # else reach has said why
        parts += [_not_judged(missing) for missing in gaps]
    return f"{model}: {'; '.join(parts)}."


def _claim(line: Line, framework: str) -> str:
    path = line.side(framework).best
    assert path is not None
    return f"{line.name} ({path.label} {_figure(path)} {line.unit}, {'≥ ' * line.bounded}{_times(line.factor)})"


def _not_judged(missing: Gap) -> str:
    under = f" under {_list(missing.workloads)}" if missing.workloads else ""
    return f"{missing.axis} not judged{under}: {missing.why}"


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
