"""Images of servers: built offline from wheels that the host downloaded, and tagged by the content they are made of."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import serving
from serving.catalog import Server
from serving.engines import base_image, fingerprint
from serving.engines.contract import Prepared, Say
from serving.engines.locks import locked
from serving.engines.wheels import fetch
from serving.errors import BuildFailed

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

PACKAGE = Path(serving.__file__).parent
SOURCES = (PACKAGE / "__init__.py", PACKAGE / "reference")


def ensure(client: DockerClient, server: Server, cache: Path, say: Say) -> Prepared:
    """The server's image, built where there is none of its content yet; raises `BuildFailed`."""
    base = base_image.ensure(client, cache, say)
    dockerfile = server.folder / server.dockerfile
    identity = fingerprint.of(server.requirements, dockerfile, *SOURCES, server.runtime, str(base.id))
    tag = f"deploy-compare/{server.name}:{identity}"
    with locked(cache / "images" / f"{server.name}.lock", say):
        image = _find(client, tag)
        if image is None:
            wheels = fetch(server.requirements, base_image.PYTHON, cache, say)
            say(f"building the image of {server.name}")
            with tempfile.TemporaryFile(dir=cache) as context:
                _write_context(context, wheels, server.requirements, dockerfile)
                image = _build(client, context, tag, {"BASE": str(base.id), "RUNTIME": server.runtime})
    return Prepared(tag, str(image.id), image.attrs["Size"], base.attrs["Size"])


def _find(client: DockerClient, tag: str) -> Image | None:
    from docker.errors import ImageNotFound

    try:
        return client.images.get(tag)
    except ImageNotFound:
        return None


def _write_context(context: IO[bytes], wheels: Path, requirements: Path, dockerfile: Path) -> None:
    with tarfile.open(fileobj=context, mode="w", dereference=True) as archive:
        archive.add(dockerfile, "Dockerfile")
        archive.add(requirements, "requirements.txt")
        for wheel in sorted(wheels.glob("*.whl")):
            archive.add(wheel, f"wheels/{wheel.name}")
        for source in SOURCES:
            for file in fingerprint.files(source):
                _add_source(archive, file)
    context.seek(0)


def _add_source(archive: tarfile.TarFile, file: Path) -> None:
    """With fixed rights, whatever the clone's umask was: the server's user must be able to read it."""
    data = file.read_bytes()
    entry = tarfile.TarInfo(f"serving/{file.relative_to(PACKAGE).as_posix()}")
    entry.size = len(data)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(data))


def _build(client: DockerClient, context: IO[bytes], tag: str, arguments: dict[str, str]) -> Image:
    """Run the classic builder, which every daemon has; its output is the detail of `BuildFailed`."""
    from docker.errors import DockerException

    output: list[str] = []
    try:
        for event in client.api.build(
            fileobj=context,
            custom_context=True,
            tag=tag,
            buildargs=arguments,
            network_mode="none",
            rm=True,
            forcerm=True,
            decode=True,
        ):
            output.append(str(event.get("stream") or event.get("error") or ""))
            if "error" in event:
                raise BuildFailed(f"building {tag} failed: {event['error']}", "".join(output)[-8000:])
    except DockerException as exc:
        raise BuildFailed(f"building {tag} failed: {exc}", "".join(output)[-8000:]) from exc
    return client.images.get(tag)
