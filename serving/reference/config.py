"""How a model is served: batching, queue, deadline, versions. The keys are those of Triton's model configuration.

https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ConfigError(Exception):
    """A model configuration that cannot be used, or a folder of models that is none."""


@dataclass(frozen=True)
class Config:
    """Settings of one model; the defaults serve each request by itself, as soon as its turn comes."""

    max_batch_size: int = 0
    """Most rows computed together; 0 never merges requests."""
    max_queue_delay_us: int = 0
    """How long a batch that is not full may wait for more, once at least two requests wait."""
    max_queue_size: int = 1024
    """Requests that may wait; one more is refused."""
    overload_wait_us: int = 10_000
    """While clients have to be refused, only so many may wait as are computed within this, though 3 at least. It begins
    when 32 wait who need twenty times as long. 0: `max_queue_size` alone counts."""
    default_timeout_us: int = 0
    """Deadline of a request that brings none; 0 is none."""
    latest_versions: int = 1
    """How many versions to serve, counted from the newest; 0 is all."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or not 0 <= value < 2**40:
                raise ConfigError(f"{field.name} must be an integer ≥ 0, found {value!r}")
        if self.max_queue_size == 0:
            raise ConfigError("max_queue_size must be at least 1")


_KEYS = {
    ("max_batch_size",): "max_batch_size",
    ("dynamic_batching", "max_queue_delay_microseconds"): "max_queue_delay_us",
    ("dynamic_batching", "default_queue_policy", "max_queue_size"): "max_queue_size",
    ("dynamic_batching", "default_queue_policy", "overload_wait_microseconds"): "overload_wait_us",  # our own
    ("dynamic_batching", "default_queue_policy", "default_timeout_microseconds"): "default_timeout_us",
    ("version_policy", "latest", "num_versions"): "latest_versions",
}
_DESCRIPTIVE = (
    "name",
    "platform",
    "backend",
    "input",
    "output",
)  # said by the artifact


def parse(text: str | bytes, defaults: Config) -> Config:
    """Read a configuration as JSON over `defaults`; raises `ConfigError` naming the key that is not understood."""
    try:
        fields = json.loads(text)
    except ValueError as exc:
        raise ConfigError(f"not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise ConfigError("must be a JSON object")
    found: dict[str, Any] = {}
    for path, value in _leaves({key: value for key, value in fields.items() if key not in _DESCRIPTIVE}, ()):
        if path == ("version_policy", "all"):
            found["latest_versions"] = 0
        elif path in _KEYS:
            found[_KEYS[path]] = value
        elif value != {} or not any(key[: len(path)] == path for key in _KEYS):  # an empty section says nothing
            known = ", ".join(".".join(key) for key in _KEYS)
            raise ConfigError(f"unknown key {'.'.join(path)!r}; known: {known}, version_policy.all")
    return dataclasses.replace(defaults, **found)


def read(folder: Path, defaults: Config) -> Config:
    """The `config.json` of a model's folder over `defaults`, which hold where there is none; raises `ConfigError`."""
    path = folder / "config.json"
    try:
        return parse(path.read_bytes(), defaults)
    except FileNotFoundError:
        return defaults
    except (OSError, ConfigError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def _leaves(fields: dict[str, Any], above: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in fields.items():
        path = (*above, key)
        found += _leaves(value, path) if isinstance(value, dict) and value else [(path, value)]
    return found
