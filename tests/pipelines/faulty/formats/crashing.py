"""An exporter whose native code crashes, as some converters do."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from models.pair import ModelPair
from pipelines.formats import Exported

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32",)
PACKAGES: tuple[str, ...] = ()
EXTRA: str | None = None


def export(pair: ModelPair, framework: str, variant: str, folder: Path) -> Exported:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError(f"{pair.name} {framework} {variant} {folder} outlived a segmentation fault")


def operators(path: Path) -> int | None:
    raise AssertionError(f"{path} was exported")
