"""An experiment: what is compared, on what budget, under which load. Strict, frozen, and silent."""

from __future__ import annotations

from collections.abc import Hashable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from pipelines.errors import BadExperiment

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Framework = Literal["torch", "tensorflow"]
Variant = Literal["fp32", "fp16", "int8_dynamic", "int8_static"]


Seconds = Annotated[float, Field(gt=0, le=3600)]
"""A bound on every window and timeout: a slip of the keyboard must not run for a year."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Budget(Strict):
    """What one server may use. Its cores come from the end of the machine's list; the generator gets the others."""

    cpus: PositiveInt = 1
    memory_mb: int = Field(default=3072, ge=16, le=10_000_000)
    pids: int = Field(default=256, ge=16, le=100_000)


class ClosedArrivals(Strict):
    """`users` clients, each sending its next request when the last one was answered."""

    kind: Literal["closed"]
    users: int = Field(gt=0, le=1000)


class OpenArrivals(Strict):
    """A constant rate, timed from the intended instants, whether or not earlier requests were answered."""

    kind: Literal["open"]
    rate_rps: float = Field(gt=0, le=20_000)


class Workload(Strict):
    """One way of loading a cell; `models` limits it to some of the experiment's models."""

    name: Name
    arrivals: Annotated[ClosedArrivals | OpenArrivals, Field(discriminator="kind")]
    models: tuple[str, ...] | None = Field(default=None, min_length=1)


class Load(Strict):
    """How the workloads are measured: `rounds` interleaved blocks of `block_s` seconds for each cell and workload."""

    workloads: tuple[Workload, ...] = Field(min_length=1)
    rounds: int = Field(default=6, gt=0, le=1000)
    block_s: Seconds = 2.0
    warmup_s: Seconds = 2.0
    max_repeats: int = Field(default=3, ge=0, le=1000)
    """How many rounds of one workload on one model may be measured again, all their cells, because a gate says that
    the generator spoiled one of their blocks: a bound on the time a noisy machine can cost."""
    seed: int = 20


class Experiment(Strict):
    """One comparison: every model × framework × format × variant, on each server and protocol that takes it."""

    name: Name
    models: tuple[str, ...] = Field(min_length=1)
    frameworks: tuple[Framework, ...] = Field(default=("torch", "tensorflow"), min_length=1)
    formats: tuple[str, ...] = Field(min_length=1)
    variants: tuple[Variant, ...] = Field(default=("fp32",), min_length=1)
    servers: tuple[str, ...] | None = Field(default=None, min_length=1)
    """None: every server that accepts the format."""
    protocols: tuple[str, ...] = Field(default=("oip-http",), min_length=1)
    budget: Budget = Budget()
    tolerance: PositiveFloat = 1e-4
    """Largest error of any hop, relative to the largest reference output."""
    cold_starts: int = Field(default=3, gt=0, le=100)
    export_timeout_s: Seconds = 900.0
    load: Load

    @model_validator(mode="after")
    def _unambiguous(self) -> Experiment:
        for field in ("models", "frameworks", "formats", "variants", "servers", "protocols"):
            _no_duplicates(field, getattr(self, field) or ())
        _no_duplicates("load.workloads", tuple(workload.name for workload in self.load.workloads))
        for workload in self.load.workloads:
            for model in workload.models or ():
                if model not in self.models:
                    raise ValueError(
                        f"load.workloads {workload.name!r} names model {model!r}, which the experiment does not compare"
                    )
        for model in self.models:
            if not self.workloads_of(model):
                raise ValueError(f"load.workloads: none of them loads model {model!r}")
        return self

    def workloads_of(self, model: str) -> tuple[Workload, ...]:
        """The workloads that load this model."""
        return tuple(w for w in self.load.workloads if w.models is None or model in w.models)


def _no_duplicates(field: str, values: tuple[str, ...]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{field} lists {value!r} more than once")


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
    folder = resources.files("pipelines.experiments")
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load(name_or_path: str) -> Experiment:
    """Read an experiment by its name or from a YAML file; raises `BadExperiment` with every fault and its path."""
    if name_or_path in names():
        text = resources.files("pipelines.experiments").joinpath(f"{name_or_path}.yaml").read_text()
        return parse(text, name_or_path)
    path = Path(name_or_path)
    if not path.is_file():
        raise BadExperiment(
            f"unknown experiment {name_or_path!r}; known: {', '.join(names())}, or the path of a YAML file"
        )
    try:
        return parse(path.read_text(), name_or_path)
    except (OSError, UnicodeDecodeError) as exc:
        raise BadExperiment(f"{name_or_path}: cannot be read: {exc}") from exc


def parse(text: str, origin: str) -> Experiment:
    """An experiment from YAML text; `origin` names it in errors. Raises `BadExperiment`."""
    try:
        fields = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise BadExperiment(f"{origin}: not YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(fields, dict):
        raise BadExperiment(f"{origin}: expected a mapping with name, models, formats and load, found {_kind(fields)}")
    try:
        return Experiment.model_validate(fields)
    except ValidationError as exc:
        raise BadExperiment(f"{origin}: " + "; ".join(map(_fault, exc.errors()))) from exc


def dump(experiment: Experiment) -> str:
    """The experiment as YAML that `parse` reads back."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _fault(error: object) -> str:
    """One pydantic error as `load.rounds: input should be greater than 0 (found -3)`."""
    assert isinstance(error, dict)
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key"
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    found = "" if error["type"] in {"missing", "value_error"} else f" (found {error['input']!r})"
    return f"{where}: {message}{found}" if where else message
