"""Experiments from YAML: those that come along, by name, and files; every fault is told with its path."""

from __future__ import annotations

from collections.abc import Hashable
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipelines.errors import BadExperiment
from pipelines.experiment import Experiment, ReplayArrivals

MOST_FAULTS, LONGEST_SHOWN = 20, 200
"""Of one file that are told, and of what is quoted from it in characters."""


class _Loader(yaml.SafeLoader):
    """YAML says keys are unique; PyYAML silently keeps the last one, and the user believes the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} more than once", node.start_mark)
        return super().construct_mapping(node, deep)


def names() -> list[str]:
    """The experiments that come with the project, sorted."""
    folder = resources.files(__name__)
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name_or_path: str) -> Experiment:
    """Read an experiment by its name or from a YAML file; raises `BadExperiment` with every fault and its path."""
    if name_or_path in names():
        text = resources.files(__name__).joinpath(f"{name_or_path}.yaml").read_text()
        return parse(text, name_or_path)
    path = Path(name_or_path)
    if len(path.name) > LONGEST_SHOWN or not path.is_file():  # the system refuses to look for longer ones
        raise BadExperiment(
            f"unknown experiment {_short(name_or_path)!r}; known: {', '.join(names())}, or the path of a YAML file"
        )
    try:
        return _from_folder(parse(path.read_text(), name_or_path), path.absolute().parent)
    except (OSError, UnicodeDecodeError) as exc:
        raise BadExperiment(f"{name_or_path}: cannot be read: {exc}") from exc


def _from_folder(asked: Experiment, folder: Path) -> Experiment:
    """With the relative paths of its recordings made absolute, so that a copy elsewhere means the same files."""
    workloads = tuple(
        workload.model_copy(
            update={"arrivals": workload.arrivals.model_copy(update={"file": str(folder / workload.arrivals.file)})}
        )
        if isinstance(workload.arrivals, ReplayArrivals)
        else workload
        for workload in asked.load.workloads
    )
    return asked.model_copy(update={"load": asked.load.model_copy(update={"workloads": workloads})})


def parse(text: str, origin: str) -> Experiment:
    """An experiment from YAML text; `origin` names it in errors. Raises `BadExperiment`."""
    try:
        fields = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise BadExperiment(f"{origin}: not YAML: {_short(' '.join(str(exc).split()))}") from exc
    if not isinstance(fields, dict):
        raise BadExperiment(f"{origin}: expected a mapping with name, models, formats and load, found {_kind(fields)}")
    try:
        return Experiment.model_validate(fields)
    except ValidationError as exc:
        raise BadExperiment(f"{origin}: {_faults(exc)}") from exc


def differences(old: Experiment, new: Experiment) -> list[str]:
    """What the second has otherwise, as `load.rounds 3, was 5`."""
    was, now = (_flat(each.model_dump(mode="json")) for each in (old, new))
    return [f"{key} {now.get(key)}, was {was.get(key)}" for key in was | now if was.get(key) != now.get(key)]


def _flat(fields: object, name: str = "") -> dict[str, str]:
    """Values by their dotted names."""
    if isinstance(fields, dict):
        entries = list(fields.items())
    elif isinstance(fields, list):
        entries = list(enumerate(fields))
    else:
        return {name: _short(repr(fields))}
    return {
        key: value
        for part, inner in entries
        for key, value in _flat(inner, f"{name}.{part}" if name else str(part)).items()
    }


def dump(experiment: Experiment) -> str:
    """The experiment as YAML that `parse` reads back."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _faults(found: ValidationError) -> str:
    """All of them, but not the empty list that pydantic sees where every entry of a list has a fault of its own."""
    errors = found.errors()
    own = [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(other["loc"][: len(error["loc"])] == error["loc"] for other in errors if other is not error)
    ]
    return "; ".join(map(_fault, own[:MOST_FAULTS])) + ("; and more" if len(own) > MOST_FAULTS else "")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _fault(error: object) -> str:
    """One pydantic error as `load.rounds: input should be greater than 0 (found -3)`."""
    assert isinstance(error, dict)
    where = _short(".".join(str(part) for part in error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key"
    message = _short(str(error["msg"]).removeprefix("Value error, "))
    message = message[:1].lower() + message[1:]
    found = "" if error["type"] in {"missing", "value_error"} else f" (found {_short(repr(error['input']))})"
    return f"{where}: {message}{found}" if where else message
