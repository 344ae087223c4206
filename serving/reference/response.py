"""An inference response onto the wire: JSON, with or without the binary tensor data extension."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import orjson

from serving.reference.datatypes import DATATYPE, to_bytes, to_json
from serving.reference.exchange import JSON, Reply, reply
from serving.reference.memo import Memo
from serving.reference.request import Asked, Request
from serving.reference.runtimes import Arrays

_BINARY = "content-type: application/octet-stream\r\ninference-header-content-length: %d\r\n"
_LAYOUT = attrgetter("shape", "dtype")


class Encoder:
    """Responses of one model."""

    def __init__(self, name: str, version: str) -> None:
        self._fields = {"model_name": name, "model_version": version}
        self._known: Memo[tuple[object, ...], tuple[list[str], bytes, bytes, int]] = Memo()

    def encode(self, request: Request, outputs: Arrays) -> Reply:
        """Plain JSON where no tensor is binary; NaN and Inf are null there, as JSON has neither.

        Binary tensors are views of `outputs` where they are not small; views go to the socket as they lie.
        """
        if not request.shared:
            return self._encode(request.asked, outputs)[1]
        # The JSON says names, dtypes and shapes only: where those are the same, so is it.
        key = (request.asked, *map(_LAYOUT, outputs.values()))
        known = self._known.get(key)
        if known is None:
            names, found = self._encode(request.asked, outputs)
            _, head, parts, length = found
            sized = all(array.dtype.kind != "O" for array in outputs.values())  # that of BYTES depends on the values
            if sized and len(parts) == 1 + len(names):  # all of them are binary
                self._known.keep(key, (names, head, bytes(parts[0]), length))
            return found
        names, head, text, length = known
        return 200, head, [text, *[to_bytes(outputs[name]) for name in names]], length

    def _encode(self, asked: Asked, outputs: Arrays) -> tuple[list[str], Reply]:
        wanted = asked.outputs if asked.outputs is not None else dict.fromkeys(outputs, asked.binary_output)
        tensors: list[dict[str, Any]] = []
        body: list[bytes | memoryview] = [b""]
        for name, binary in wanted.items():
            array = outputs[name]
            tensor: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": DATATYPE[array.dtype]}
            if binary:
                raw = to_bytes(array)
                tensor["parameters"] = {"binary_data_size": len(raw)}
                body.append(raw)
            else:
                tensor["data"] = to_json(name, array)
            tensors.append(tensor)
        fields: dict[str, Any] = {**self._fields, "outputs": tensors}
        if asked.id is not None:
            fields["id"] = asked.id
        body[0] = text = orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
        headers = JSON if len(body) == 1 else (_BINARY % len(text)).encode()
        return list(wanted), reply(200, headers, body)
