"""The subprocess that touches the frameworks, because a converter can crash, hang, or eat all memory.

    python -m pipelines.worker export MODEL FRAMEWORK FORMAT VARIANT OUT [REFERENCE]
    python -m pipelines.worker reference MODEL OUT
    python -m pipelines.worker verify ARTIFACT RUNTIME THREADS REFERENCE OUT

Everything it prints is its log. Exit status: 0, or one of `ERROR`, `DISK_FULL`, `OUT_OF_MEMORY` with the cause on a
last line that starts with `FAILED`; killed by a signal where native code crashed.
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models import cases, catalog
from models.cases import Case
from models.fingerprint import model_packages, versions
from models.pair import Matched, ModelPair, Tensors, TensorSpec
from pipelines import formats
from pipelines.parity import TOLERANCES, Parity, compare, worst
from serving.reference import artifact
from serving.reference.artifact import Manifest, Tensor

ERROR, DISK_FULL, OUT_OF_MEMORY = 1, errno.ENOSPC, errno.ENOMEM
FAILED = "worker failed: "

ARTIFACT = "artifact"
SOURCE_PARITY = "source_parity.json"


def export(model: str, framework: str, format: str, variant: str, out: str, reference: str | None = None) -> None:
    """Write the artifact to `out/artifact`; with a reference, the twin's parity with it to `out/source_parity.json`."""
    pair, exporter = catalog.load(model), formats.load(format)
    if framework not in exporter.FRAMEWORKS or variant not in exporter.VARIANTS:
        takes = f"{' or '.join(exporter.FRAMEWORKS)} as {' or '.join(exporter.VARIANTS)}"
        raise ValueError(f"{format} takes {takes}, not {framework} as {variant}")
    folder = Path(out, ARTIFACT)
    folder.mkdir()
    started = time.perf_counter()
    exported = exporter.export(pair, framework, variant, folder)
    export_s = time.perf_counter() - started
    manifest = Manifest(
        model=model,
        framework=framework,
        format=format,
        variant=variant,
        entry=exported.entry,
        inputs=_tensors(exported.inputs),
        outputs=_tensors(exported.outputs),
        files=artifact.digests(folder),
        versions=versions([*exporter.PACKAGES, *model_packages(model)]),
        export_s=round(export_s, 3),
    )
    artifact.write(folder, manifest)
    _readable_by_all(folder)
    if reference:
        write_parity(Path(out, SOURCE_PARITY), _twin_parity(pair, cases.load(Path(reference, "parity.npz"))))


def reference(model: str, out: str) -> None:
    """Write the source's answers to `out/parity.npz`, `out/load.npz` and `out/evaluation.npz`.

    Of a hard case the last two are empty. The source is torch's module, and the twin where torch has none.
    """
    matched = catalog.load(model)
    answer = _source(matched) if matched.torch_module else _twin(matched)
    sets = {"parity": matched.parity_inputs(), "load": (), "evaluation": ()}
    if isinstance(matched, ModelPair):
        sets |= {"load": matched.load_inputs(), "evaluation": matched.evaluation_inputs()}
    for name, inputs in sets.items():
        cases.save(Path(out, f"{name}.npz"), [Case(case, answer(case)) for case in inputs])


def verify(folder: str, runtime: str, threads: str, reference: str, out: str) -> None:
    """Write the parity of the artifact, run in this process, to `out`."""
    from serving.reference import runtimes

    manifest = artifact.verify(Path(folder))
    loaded = runtimes.load(runtime, Path(folder), manifest, int(threads))
    parity = cases.load(Path(reference, "parity.npz"))
    tolerance = TOLERANCES[manifest.variant]
    compared = [compare(loaded.infer(case.inputs), case.outputs, tolerance, "artifact") for case in parity]
    write_parity(Path(out), worst(compared))


def write_parity(path: Path, parity: Parity) -> None:
    """Write a parity as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(parity), indent=2) + "\n")


def read_parity(path: Path) -> Parity:
    """Read what `write_parity` wrote; raises OSError, ValueError or TypeError where it is not that."""
    return Parity(**json.loads(path.read_text()))


def _twin_parity(matched: Matched, parity: Sequence[Case]) -> Parity:
    twin = _twin(matched)
    return worst([compare(twin(case.inputs), case.outputs, hop="source") for case in parity])


def _source(matched: Matched) -> Callable[[Tensors], Tensors]:
    """The torch module as a function of arrays."""
    import torch

    module = matched.build("torch")

    def answer(inputs: Tensors) -> Tensors:
        with torch.inference_mode():
            found = module(*[torch.from_numpy(inputs[spec.name]) for spec in matched.inputs])
        tensors = found if isinstance(found, tuple) else (found,)
        return {spec.name: tensor.numpy() for spec, tensor in zip(matched.outputs, tensors, strict=True)}

    return answer


def _twin(matched: Matched) -> Callable[[Tensors], Tensors]:
    """The TensorFlow twin as a function of arrays."""
    import tensorflow as tf

    twin = matched.build("tensorflow")

    def answer(inputs: Tensors) -> Tensors:
        found = twin({name: tf.constant(array) for name, array in inputs.items()}, training=False)
        return {spec.name: np.asarray(found[spec.name]) for spec in matched.outputs}

    return answer


def _tensors(specs: Sequence[TensorSpec]) -> tuple[Tensor, ...]:
    return tuple(Tensor(spec.name, spec.dtype, spec.shape) for spec in specs)


def _readable_by_all(folder: Path) -> None:
    """Some writers make files for their owner only, and a server runs as another user."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _end_with_parent() -> None:
    """Ask Linux to end this process when the thread that started it ends, even by SIGKILL."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _exit_status(exc: BaseException) -> int:
    """Which kind of failure it was; frameworks wrap the system's errors in their own, so their text is read, too."""
    if isinstance(exc, MemoryError) or any(text in str(exc) for text in ("OOM when allocating", "allocate memory")):
        return OUT_OF_MEMORY
    if (isinstance(exc, OSError) and exc.errno == errno.ENOSPC) or "No space left on device" in str(exc):
        return DISK_FULL
    cause = exc.__cause__ or exc.__context__
    return _exit_status(cause) if cause else ERROR


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    _end_with_parent()
    faulthandler.enable()
    # Before any framework is imported: the twin is a TensorFlow model whatever the user's own Keras is set to.
    os.environ |= {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    commands: dict[str, Callable[..., None]] = {"export": export, "reference": reference, "verify": verify}
    try:
        commands[arguments[0]](*arguments[1:])
    except Exception as exc:
        traceback.print_exc()
        first_line = next((line.strip() for line in str(exc).splitlines() if line.strip()), "")
        print(f"{FAILED}{type(exc).__name__}: {first_line}", file=sys.stderr, flush=True)
        return _exit_status(exc)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
