"""The Docker daemon's failures in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import ServingError


@contextmanager
def answering(failure: type[ServingError] = ServingError) -> Iterator[None]:
    """Raise what the daemon, or the way to it, fails with as one `failure`; also a decorator."""
    from docker.errors import DockerException
    from requests import RequestException

    try:
        yield
    except (DockerException, RequestException) as exc:
        reason = getattr(exc, "explanation", None) or str(exc)
        raise failure(f"the Docker daemon failed: {str(reason).splitlines()[0]}") from exc
