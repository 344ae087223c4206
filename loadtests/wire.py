"""What travels between the host, the load generator and its workers: blocks and results as JSON, files in parts."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loadtests.block import Block, Burst, Closed, ErrorKind, GeneratorUse, Open, Ramp, Replay, Result
from loadtests.errors import GeneratorError

PART_BYTES = 4_000_000
"""Of one message. Heartbeats queue behind it: a larger one would let a worker on a slow network seem dead."""

ARRIVALS: dict[str, type[Closed | Open | Ramp | Burst | Replay]] = {
    "closed": Closed,
    "open": Open,
    "ramp": Ramp,
    "burst": Burst,
    "replay": Replay,
}

SAMPLES, RESPONSES = "samples.parquet", "responses.npz"
"""Names of the files that a worker sends back."""


def block_to_json(block: Block) -> str:
    """One line, without its newline."""
    return json.dumps(dataclasses.asdict(block))


def block_from_json(line: str) -> Block:
    """Undo `block_to_json`."""
    fields: dict[str, Any] = json.loads(line)
    arrivals: dict[str, Any] = fields.pop("arrivals")
    fields["share"] = tuple(fields["share"])
    return Block(arrivals=ARRIVALS[arrivals["kind"]](**arrivals), **fields)


def result_to_json(result: Result) -> str:
    """One line, without its newline."""
    return json.dumps(dataclasses.asdict(result))


def result_from_json(fields: dict[str, Any]) -> Result:
    """Undo `result_to_json`, once parsed."""
    kinds = tuple(ErrorKind(**kind) for kind in fields["error_kinds"])
    return Result(**{**fields, "error_kinds": kinds, "generator": GeneratorUse(**fields["generator"])})


def parts(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """A file as messages for `receive`, which stores it as `name`."""
    with path.open("rb") as file:
        content = file.read(PART_BYTES)
        yield {"name": name, "first": True, "bytes": content}
        while content := file.read(PART_BYTES):
            yield {"name": name, "first": False, "bytes": content}


def receive(folder: Path, part: dict[str, Any]) -> None:
    """Undo `parts`, message by message, in a folder of the sender's own."""
    with (folder / Path(part["name"]).name).open("wb" if part["first"] else "ab") as file:
        file.write(part["bytes"])


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; raises `GeneratorError`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) < 65536:
        raise GeneratorError(f"expected HOST:PORT, as 127.0.0.1:5557, found {text!r}")
    return host, int(port)


def boot() -> str:
    """Which host this is, and since when it has been up."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def version() -> str:
    """Of what sends and records: workers of another one would not send what the block asks for.

    Locust's version and a digest of this package's sources, as a clone between two releases has the number of the last.
    """
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    release = importlib.metadata.version("deploy-compare")
    return f"deploy-compare {release} {digest.hexdigest()[:12]}, locust {importlib.metadata.version('locust')}"
