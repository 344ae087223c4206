"""Ways to start servers: one module each, and its name is the engine's name everywhere."""

from __future__ import annotations

from pathlib import Path

from serving.engines.contract import Engine
from serving.errors import EngineUnavailable

NAMES = ("docker", "process")


def load(name: str, cache: Path, logs: Path) -> Engine:
    """The engine of that name, whether it can work here or not; raises `EngineUnavailable` for an unknown name.

    `cache` holds what is kept between runs (wheels, environments, a base image's making), `logs` what servers wrote.
    """
    if name == "docker":
        from serving.engines.docker import Docker

        return Docker(cache, logs)
    if name == "process":
        from serving.engines.process import Process

        return Process(cache, logs)
    raise EngineUnavailable(f"unknown engine {name!r}; known: auto, {', '.join(NAMES)}")


def choose(name: str, cache: Path, logs: Path) -> tuple[Engine, str | None]:
    """The engine asked for; "auto" is docker where its daemon answers, else process with a note that says why.

    Raises `EngineUnavailable` where the engine that was named cannot work on this machine.
    """
    engine = load("docker" if name == "auto" else name, cache, logs)
    reason = engine.unavailable()
    if reason is None:
        return engine, None
    if name != "auto":
        raise EngineUnavailable(reason)
    process = load("process", cache, logs)
    if fault := process.unavailable():
        raise EngineUnavailable(f"{reason}; and {fault}")
    return process, f"using the process engine: {reason}"
