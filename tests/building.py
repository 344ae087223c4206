"""Builds what servers start from, on each engine there is: python -m tests.building FOLDER SERVER…"""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines.run import CACHE
from serving import catalog, engines


def main(folder: Path, servers: list[str]) -> None:
    """Images first, which take longest; a server that cannot be built is left to the tests, which say why."""
    for name in ("docker", "process"):
        engine = engines.load(name, CACHE, folder)
        if engine.unavailable() is None:
            for server in servers:
                engine.prepare(catalog.load(server), print)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
