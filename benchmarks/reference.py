"""The reference server, in the shape of a peer: started as its image starts it, from the same pinned requirements."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.models import Array, Model
from benchmarks.peers.contract import Job
from benchmarks.pinned import ROOT, Command
from benchmarks.wire import Request, Response, oip, oip_answer
from serving.engines.launch import HOST

NAME = "reference"


@dataclass(frozen=True)
class Reference:
    """The server of a clone at `source`: this one, or another whose revision is to be compared."""

    source: Path = ROOT
    options: tuple[str, ...] = ()

    PACKAGE = ""
    ENCODINGS = {  # noqa: RUF012
        "json": "Open Inference Protocol v2, numbers in JSON",
        "binary": "Open Inference Protocol v2 with binary tensors, both ways",
    }

    @property
    def requirements(self) -> Path:
        return self.source / "serving" / "servers" / "reference-onnx" / "requirements.txt"

    def start(self, job: Job) -> Command:
        argv = [str(job.python), "-m", "serving.reference", "--artifact", str(job.model.folder)]
        where = ["--runtime", "onnxruntime", "--host", HOST, "--port", str(job.port), "--threads", "1"]
        environment = {"PYTHONPATH": str(self.source.resolve()), "PYTHONSAFEPATH": "1"}
        return Command([*argv, *where, *self.options], environment)

    def request(self, model: Model, form: str) -> Request:
        return oip(model.served_name, model.sample, form)

    def answer(self, response: Response) -> Array:
        return oip_answer(response)
