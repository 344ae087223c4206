"""An inference response onto the wire: JSON, with or without the binary tensor data extension."""

from __future__ import annotations

from typing import Any

import orjson

from serving.reference.datatypes import DATATYPE, to_bytes, to_json
from serving.reference.exchange import JSON, Reply
from serving.reference.memo import Memo
from serving.reference.request import Asked, Request
from serving.reference.runtimes import Arrays

_BINARY = "content-type: application/octet-stream\r\ninference-header-content-length: %d\r\n"


class Encoder:
    """Responses of one model."""

    def __init__(self, name: str, version: str) -> None:
        self._fields = {"model_name": name, "model_version": version}
        self._known: Memo[tuple[object, ...], tuple[list[str], bytes, bytes]] = Memo()

    def encode(self, request: Request, outputs: Arrays) -> Reply:
        """Plain JSON where no tensor is binary; NaN and Inf are null there, as JSON has neither.

        Binary tensors are views of `outputs` where they are not small; views go to the socket as they lie.
        """
        if not request.shared:
            return self._encode(request.asked, outputs)[1]
        # The JSON says names, dtypes and shapes only: where those are the same, so is it.
        key = (request.asked, *[(array.shape, array.dtype) for array in outputs.values()])
        known = self._known.get(key)
        if known is None:
            names, reply = self._encode(request.asked, outputs)
            sized = all(array.dtype.kind != "O" for array in outputs.values())  # that of BYTES depends on the values
            if sized and len(reply[2]) == 1 + len(names):  # all of them are binary
                self._known.keep(key, (names, reply[1], bytes(reply[2][0])))
            return reply
        names, headers, text = known
        return 200, headers, [text, *[to_bytes(outputs[name]) for name in names]]

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
        return list(wanted), (200, headers, body)
