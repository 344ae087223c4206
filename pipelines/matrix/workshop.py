"""The processes in which cells are exported and checked: a nursery for each framework and runtime, when needed."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from models.pair import Matched
from pipelines import artifacts, formats
from pipelines.launch import Launch, Nursery, Program
from pipelines.worker import ENVIRONMENT
from serving.catalog import Server
from serving.engines import environments
from serving.engines.contract import Say
from serving.engines.launch import THREAD_VARIABLES

CALM = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
}
"""NumPy's library, and pyarrow's (which Keras imports by way of pandas, where that is installed), would start threads
when they are imported, and then no fork was safe; and several exports share the cores, so that who waits must not spin.
How many threads a framework computes on is left as it is: a compiler may write that number into an artifact."""
ONE_THREAD = dict.fromkeys((*THREAD_VARIABLES, "TF_NUM_INTEROP_THREADS"), "1")
"""An artifact is checked on one thread."""


ENVIRONMENTS = artifacts.CACHE.parent
"""Where the servers' environments are built, whatever cache the artifacts go to."""


class Workshop:
    """Gives what runs a job of a kind; all of it ends with the block. Thread-safe."""

    def __init__(self, cache: Path, say: Say) -> None:
        self.cache = cache
        """Of artifacts."""
        self._say = say
        self._nurseries: dict[tuple[str, str], Nursery] = {}
        self._references: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process; who waits for one gets `Stopped`."""
        with self._lock:
            for nursery in self._nurseries.values():
                nursery.close()

    def exporting(self, framework: str, format: str = "") -> Launch:
        """A format that has something to preload is exported by a nursery of its own."""
        words = _words(framework, format)
        return self._nursery("export", " ".join(words), lambda: _worker(words, {}))

    def exporting_again(self, framework: str, format: str) -> Launch:
        """As `exporting`, with other hashes of texts, on whose order a converter's output may depend."""
        words = _words(framework, format)
        return self._nursery("again", " ".join(words), lambda: _worker(words, {"PYTHONHASHSEED": "20"}))

    def checking(self, server: Server) -> Launch:
        """In the server's own environment, built where it is not there; raises `BuildFailed`."""

        def program() -> Program:
            folder = environments.ensure(server.name, server.requirements, ENVIRONMENTS, self._say)
            python = str(folder / "bin" / "python")
            return Program("pipelines.check", (server.runtime,), python, CALM | ONE_THREAD)

        return self._nursery("check", server.name, program)

    def reference(self, matched: Matched, timeout_s: float) -> Path:
        """The folder of the source's answers, computed once; raises `ExportError`."""
        with self._lock:
            lock = self._locks[matched.name]
        with lock:
            if matched.name not in self._references:
                launch = self.exporting("torch" if matched.torch_module else "tensorflow")
                self._references[matched.name] = artifacts.reference_folder(matched.name, self.cache, timeout_s, launch)
            return self._references[matched.name]

    def without_forks(self) -> list[str]:
        """What could not be forked so far, with the threads that its libraries start when they are imported."""
        return [
            f"{kind} {name}: {nursery.threads} threads"
            for (kind, name), nursery in sorted(self._nurseries.items())
            if nursery.threads not in (None, 1)
        ]

    def _nursery(self, kind: str, name: str, program: Callable[[], Program]) -> Nursery:
        with self._lock:
            lock = self._locks[f"{kind} {name}"]
        with lock:  # one of them may take minutes to be built; the others go on
            if (kind, name) not in self._nurseries:
                made = Nursery(program())
                with self._lock:
                    self._nurseries[kind, name] = made
            return self._nurseries[kind, name]


def _words(framework: str, format: str) -> tuple[str, ...]:
    return (framework, format) if format and formats.preloading(formats.load(format)) else (framework,)


def _worker(words: tuple[str, ...], environment: dict[str, str]) -> Program:
    return Program("pipelines.worker", words, environment=ENVIRONMENT | CALM | environment)
