"""The service that BentoML serves; runs in BentoML's environment."""

# No `from __future__ import annotations`: BentoML reads the annotations of the endpoints at run time.
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import ContentType

from benchmarks.peers.session import Session

Raw = Annotated[bytes, ContentType("application/octet-stream")]


@bentoml.service(
    workers=1,
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    monitoring={"enabled": False},
)
class Onnx:
    def __init__(self) -> None:
        self._model = Session()

    @bentoml.api(route="/json")  # type: ignore[untyped-decorator]
    async def numbers(self, x: np.ndarray) -> np.ndarray:
        return self._model.run(x.astype(np.float32))

    @bentoml.api(route="/binary")  # type: ignore[untyped-decorator]
    async def raw(self, body: bytes, /) -> Raw:
        return self._model.run_bytes(body)
