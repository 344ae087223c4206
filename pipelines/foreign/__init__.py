"""Servers that were not deployed here: is a URL one of theirs, which models they have, is one ready, its inputs."""

from __future__ import annotations

from urllib.parse import urlsplit

from loadtests import protocols
from pipelines.errors import BadInput
from pipelines.foreign import over_grpc, over_http
from pipelines.foreign.contract import Foreign, Input

__all__ = ["Foreign", "Input", "about", "checked_url", "chosen_model"]

LONGEST_NAME = 100
SCHEMES = {"http": "http://HOST:PORT", "grpc": "grpc://HOST:PORT"}
_FOREIGN = {
    "oip-http": over_http.OIP,
    "oip-http-json": over_http.OIP,
    "oip-grpc": over_grpc.OIP,
    "tfs-rest": over_http.TFS,
    "tfs-grpc": over_grpc.TFS,
}


def about(protocol: str) -> Foreign:
    """How servers of that protocol are asked; raises `UnknownProtocol`."""
    protocols.load(protocol)
    return _FOREIGN[protocol]


def checked_url(url: str, protocol: str) -> str:
    """The URL, without a slash at its end; raises `BadInput` where it is not one that this protocol is spoken at."""
    transport = protocols.load(protocol).TRANSPORT
    expected = SCHEMES[transport]
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError as exc:
        raise BadInput(f"{url!r}: expected {expected}: {exc}") from exc
    if parts.username is not None or parts.password is not None:
        raise BadInput(f"expected {expected}, and no user or password in it")
    if any(each.isspace() or not each.isprintable() for each in url):
        raise BadInput(f"{url!r}: expected {expected}, without spaces")
    if parts.scheme != transport:
        others = [name for name in protocols.NAMES if parts.scheme == protocols.load(name).TRANSPORT]
        hint = f"; over {parts.scheme} there are {', '.join(others)}" if others else ""
        raise BadInput(f"{url!r}: {protocol} is spoken at {expected}{hint}")
    if not parts.hostname or port is None or parts.path.strip("/") or parts.query or parts.fragment:
        raise BadInput(f"{url!r}: expected {expected}, and no more")
    return f"{parts.scheme}://{parts.netloc}"


def chosen_model(url: str, protocol: str, asked: str | None) -> str:
    """The model asked for, or the only one that the server lists; raises `BadInput` naming those it does."""
    listed = about(protocol).models(url)
    for name in [*listed, *([asked] if asked is not None else [])]:
        _check_name(url, name)
    if asked is not None:
        if listed and asked not in listed:
            raise BadInput(f"{url} has no model {asked!r}; it lists: {', '.join(listed)}")
        return asked
    if len(listed) == 1:
        return listed[0]
    if listed:
        raise BadInput(f"{url} has several models: choose one by --model: {', '.join(listed)}")
    raise BadInput(f"{url} lists no models over {protocol}: name one by --model")


def _check_name(url: str, name: str) -> None:
    """Raises `BadInput` where a model's name cannot be one of results' cells and files."""
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise BadInput(
            f"{url}: {name[:LONGEST_NAME]!a} is no name of a model: 1 to {LONGEST_NAME} printable characters"
        )
