"""The custom model that KServe's SDK serves; runs in KServe's environment."""

from __future__ import annotations

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid

from benchmarks.peers.session import Session


class Onnx(Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__("model")
        self._model = Session()
        self.ready = True

    # A coroutine although it computes: a plain function would be called in the same place.
    async def predict(
        self,
        payload: InferRequest | bytes,
        headers: dict[str, str] | None = None,  # noqa: ARG002
        response_headers: dict[str, str] | None = None,  # noqa: ARG002
    ) -> InferResponse | bytes:
        if isinstance(payload, bytes):
            return self._model.run_bytes(payload)
        y = self._model.run(payload.inputs[0].as_numpy())
        output = InferOutput("y", list(y.shape), "FP32")
        output.set_data_from_numpy(y, binary_data=payload.use_binary_outputs)
        return InferResponse(payload.id or generate_uuid(), self.name, [output])


if __name__ == "__main__":
    ModelServer().start([Onnx()])
