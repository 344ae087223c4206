"""The custom runtime that MLServer loads; runs in MLServer's environment."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.session import Session


class Onnx(MLModel):  # type: ignore[misc]
    async def load(self) -> bool:
        self._model = Session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensor = payload.inputs[0]
        if tensor.datatype == "BYTES":
            y = np.frombuffer(self._model.run_bytes(Base64Codec.decode_input(tensor)[0]), np.float32)[None]
        else:
            y = self._model.run(NumpyCodec.decode_input(tensor))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", y)])
