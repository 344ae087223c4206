"""In place of nvidia-ml-py, which BentoML imports even where there is no GPU: says that there is none."""

from __future__ import annotations


class NVMLError(Exception):
    """Root of the library's errors."""


class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801 (the library's name)
    """There is no NVIDIA driver on this machine."""


class NVMLError_DriverNotLoaded(NVMLError):  # noqa: N801
    """Never raised here; BentoML names it."""


def nvmlInit() -> None:  # noqa: N802
    raise NVMLError_LibraryNotFound


def nvmlShutdown() -> None:  # noqa: N802
    """Called whether or not `nvmlInit` succeeded."""
