"""The models this server has: where their versions lie, which are loaded, and how one takes another's place.

A folder of models is laid out as Triton's: `<model>/<version>/` is an artifact, `<model>/config.json` is optional.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from serving.reference import artifact, config, log
from serving.reference.config import Config, ConfigError
from serving.reference.errors import RequestError, unavailable
from serving.reference.model import Loaded, Model
from serving.reference.statistics import Statistics


class Source(Protocol):
    """Where models lie."""

    def names(self) -> list[str]:
        """Names of all models."""

    def versions(self, name: str) -> dict[str, Path]:
        """Folders of a model's artifacts by version, the oldest first; raises `ConfigError` where there is none."""

    def config(self, name: str) -> Config:
        """The model's settings; raises `ConfigError`."""


class SingleArtifact:
    """One artifact, served as version 1 under its manifest's id."""

    def __init__(self, folder: Path, defaults: Config) -> None:
        self._name = artifact.read(folder).id
        self._folder = folder
        self._config = defaults

    def names(self) -> list[str]:
        return [self._name]

    def versions(self, name: str) -> dict[str, Path]:
        return {"1": self._folder} if name == self._name else {}

    def config(self, name: str) -> Config:  # noqa: ARG002 — there is only one
        return self._config


class Folder:
    """A folder of models."""

    def __init__(self, folder: Path, defaults: Config) -> None:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: not a folder of models")
        self._folder = folder
        self._defaults = defaults

    def names(self) -> list[str]:
        try:
            folders = [path.name for path in self._folder.iterdir() if path.is_dir()]
        except OSError as exc:
            raise unavailable(f"the folder of models cannot be read: {exc.strerror}") from exc
        # Not what is hidden, nor what a file system puts at its root, nor what no JSON can name.
        return sorted(name for name in folders if name.isprintable() and not name.startswith((".", "lost+found")))

    def versions(self, name: str) -> dict[str, Path]:
        # Compared with the names there are, so that no request can lead out of the folder.
        if name not in self.names():
            return {}
        found = [path for path in (self._folder / name).iterdir() if path.is_dir() and _is_version(path.name)]
        if not found:
            raise ConfigError(f"{self._folder / name}: no version, which is a folder named by a number")
        return {path.name: path for path in sorted(found, key=lambda path: int(path.name))}

    def config(self, name: str) -> Config:
        return config.read(self._folder / name, self._defaults)


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdecimal() and str(int(name)) == name


Load = Callable[[Path], Loaded]


class CannotLoad(Exception):
    """One version of a model cannot be loaded."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(reason)
        self.version = version


class Repository:
    """Models by name and version. Its methods run on the event loop; loading happens on a thread, one at a time."""

    def __init__(self, source: Source, load: Load, change: bool) -> None:
        self._source = source
        self._load = load
        self._change = change
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        self._changing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._models: dict[str, dict[str, Model]] = {}
        self._statistics: dict[tuple[str, str], Statistics] = {}
        self._failed: dict[str, tuple[str, str]] = {}
        """Version and reason of what could not be loaded, or was unloaded, by the model's name."""

    def model(self, name: str, version: str = "") -> Model:
        """The version asked for, or the newest; raises `RequestError`: 404 where unknown, 503 where not loaded."""
        versions = self._models.get(name)
        if not versions:
            if name in self._source.names():
                raise unavailable(f"model {name!r} is not loaded")
            raise RequestError(404, f"unknown model {name!r}; known: {', '.join(self._source.names())}")
        if not version:
            return next(reversed(versions.values()))
        if version not in versions:
            raise RequestError(404, f"unknown version {version!r} of model {name!r}; served: {', '.join(versions)}")
        return versions[version]

    def versions(self, name: str) -> list[Model]:
        """All loaded versions, the oldest first; raises as `model`."""
        self.model(name)
        return list(self._models[name].values())

    def models(self) -> list[Model]:
        """All that is loaded."""
        return [model for versions in self._models.values() for model in versions.values()]

    def index(self, ready_only: bool) -> list[dict[str, str]]:
        """Name, version, state (READY or UNAVAILABLE) and reason of every model, as the repository extension tells.

        Where a version could not be loaded, it is in there beside the older ones that still serve.
        """
        found = []
        for name in sorted({*self._source.names(), *self._models}):
            loaded = self._models.get(name, {})
            failed, reason = self._failed.get(name, ("", "" if loaded else "not loaded"))
            for version in loaded:
                why = f"loading it anew failed: {reason}" if version == failed else ""
                found.append({"name": name, "version": version, "state": "READY", "reason": why})
            if reason and failed not in loaded and not ready_only:
                found.append({"name": name, "version": failed, "state": "UNAVAILABLE", "reason": reason})
        return found

    async def load_all(self) -> None:
        """Load every model; raises what the first that cannot be loaded raised."""
        names = self._source.names()
        if not names:
            raise ConfigError("there is no model to serve")
        for name in names:
            await self._replace(name, self._source.config(name))

    async def load(self, name: str, parameters: Mapping[str, object]) -> None:
        """Load or reload a model; its old versions serve until then. `parameters` are the repository extension's.

        Raises `RequestError`: 403 where changes are not allowed, 404 where unknown, 400 where it cannot be loaded.
        """
        self._allow(name)
        settings = _settings(parameters)
        async with self._changing:
            try:
                own = self._source.config(name)
                await self._replace(name, own if settings is None else config.parse(settings, own))
            except Exception as exc:
                reason = " ".join(str(exc).split()) or type(exc).__name__
                version = exc.version if isinstance(exc, CannotLoad) else ""
                self._failed[name] = version, reason
                log.write("error", "load failed", model=name, version=version, reason=reason)
                raise RequestError(400, f"model {name!r} cannot be loaded: {reason}") from exc

    async def unload(self, name: str, parameters: Mapping[str, object]) -> None:
        """Stop serving a model, after what it has taken is answered; raises `RequestError` (403, 404)."""
        self._allow(name, *self._models)
        _settings(parameters)  # of no use here, but what is malformed is refused
        async with self._changing:
            self._failed[name] = "", "unloaded"
            self._retire(self._models.pop(name, {}))
            log.write("info", "unloaded", model=name)

    def _allow(self, name: str, *known: str) -> None:
        if not self._change:
            raise RequestError(403, "this server was started with --model-control none")
        if name not in known and name not in self._source.names():
            raise RequestError(404, f"unknown model {name!r}; known: {', '.join(self._source.names())}")

    async def _replace(self, name: str, settings: Config) -> None:
        folders = self._source.versions(name)
        await asyncio.gather(*self._closing)  # so that never more than the old and the new are in memory
        loop = asyncio.get_running_loop()
        loaded = {}
        for version in list(folders)[-settings.latest_versions :]:  # -0 is all of them
            try:
                loaded[version] = await loop.run_in_executor(self._loader, self._load, folders[version])
            except Exception as exc:
                raise CannotLoad(version, str(exc) or type(exc).__name__) from exc
        # From here on nothing waits: requests see either all old versions or all new ones.
        old = self._models.get(name, {})
        self._models[name] = {
            version: Model(name, version, new, settings, self._statistics.setdefault((name, version), Statistics()))
            for version, new in loaded.items()
        }
        self._failed.pop(name, None)
        self._retire(old)
        log.write(
            "info", "loaded", model=name, versions=list(loaded), platforms=[new.platform for new in loaded.values()]
        )

    def _retire(self, models: dict[str, Model]) -> None:
        for model in models.values():
            task = asyncio.create_task(model.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _settings(parameters: Mapping[str, object]) -> str | None:
    """The configuration (JSON) that a request brings, over the model's own; files are not taken from clients."""
    if any(name.startswith("file:") for name in parameters):
        raise RequestError(400, "models are loaded from the server's own folder only: 'file:' is not supported")
    settings = parameters.get("config")
    if not isinstance(settings, str | None):
        raise RequestError(400, "'config' must be a string that holds JSON")
    return settings
