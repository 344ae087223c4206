"""The image that all of ours start from: Debian with Python 3.11, pulled where a registry answers, else built."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from serving.engines.contract import Say
from serving.engines.locks import locked
from serving.engines.wheels import run
from serving.errors import BuildFailed

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

VARIABLE = "DEPLOY_COMPARE_BASE_IMAGE"
REPOSITORY, TAG = "deploy-compare/python", "3.11"
PULLED = "python:3.11-slim"
PYTHON = "3.11"
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"


def ensure(client: DockerClient, cache: Path, say: Say) -> Image:
    """The base image; raises `BuildFailed` with the remedies where it can be neither found, pulled nor built."""
    if named := os.environ.get(VARIABLE):
        return _find(client, named) or _pull(client, named, say)
    with locked(cache / "base-image.lock", say):
        if found := _find(client, f"{REPOSITORY}:{TAG}"):
            return found
        try:
            pulled = _pull(client, PULLED, say)
        except BuildFailed as exc:
            say(f"{exc}; building the base image from Debian packages")
            return _build(client, cache, say)
        pulled.tag(REPOSITORY, TAG)
        return pulled


def _find(client: DockerClient, name: str) -> Image | None:
    from docker.errors import ImageNotFound

    try:
        return client.images.get(name)
    except ImageNotFound:
        return None


def _pull(client: DockerClient, name: str, say: Say) -> Image:
    from docker.errors import APIError

    say(f"pulling {name}")
    try:
        client.api.pull(name)
        return client.images.get(name)
    except APIError as exc:
        raise BuildFailed(f"cannot pull {name}: {exc.explanation or exc}") from exc


def _build(client: DockerClient, cache: Path, say: Say) -> Image:
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="base-image-") as folder:
        archive = Path(folder) / "base.tar"
        tool = shutil.which("mmdebstrap") or str(_fetch_mmdebstrap(Path(folder), say))
        say(f"building {REPOSITORY}:{TAG} with mmdebstrap (about half a minute)")
        run([tool, "--quiet", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(archive)], "mmdebstrap")
        client.api.import_image_from_file(str(archive), REPOSITORY, TAG)
    return client.images.get(f"{REPOSITORY}:{TAG}")


def _fetch_mmdebstrap(folder: Path, say: Say) -> Path:
    """mmdebstrap from Debian's packages, unpacked and not installed: the host system is not changed."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise BuildFailed(
            f"no base image: install mmdebstrap, or make {PULLED} pullable, or set {VARIABLE} to a local image "
            f"with Python {PYTHON}"
        )
    say("fetching mmdebstrap")
    for name in ("lists/partial", "archives/partial", "unpacked"):
        (folder / name).mkdir(parents=True)
    private = ["-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root"]
    run(["apt-get", *private, "update"], "apt-get update")
    run(["apt-get", *private, "download", "mmdebstrap"], "apt-get download", folder)
    run(["dpkg", "-x", str(next(folder.glob("mmdebstrap_*.deb"))), str(folder / "unpacked")], "dpkg -x")
    return folder / "unpacked" / "usr" / "bin" / "mmdebstrap"
