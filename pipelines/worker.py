"""The subprocess that touches the frameworks, because a converter can crash, hang, or eat all memory.

    python -m pipelines.worker export MODEL FRAMEWORK FORMAT VARIANT OUT [REFERENCE]
    python -m pipelines.worker reference MODEL OUT
    python -m pipelines.worker verify ARTIFACT RUNTIME THREADS REFERENCE OUT

Everything it prints is its log; see `job` for its exit status. A nursery (`launch`) runs it in forks as well.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy as np

from models import cases, catalog
from models.cases import Case
from models.fingerprint import model_packages, versions
from models.pair import Matched, ModelPair, Tensors, TensorSpec
from pipelines import facts, formats, job
from pipelines.facts import Facts
from pipelines.parity import Parity, compare, tolerance, worst
from serving.reference import artifact
from serving.reference.artifact import Manifest, Tensor

ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
"""Before any framework is imported: the twin is a TensorFlow model whatever the user's own Keras is set to."""

PRELOADS = {
    "torch": (
        "torch", "torch.export", "torch.onnx", "torch._dynamo", "onnx", "onnxscript",
        "onnxscript.function_libs.torch_lib.ops", "torch.onnx._internal.exporter._core",
    ),
    "tensorflow": ("tensorflow", "keras"),
}  # fmt: skip
"""What most exports from a framework import."""

ARTIFACT = "artifact"
SOURCE_PARITY = "source_parity.json"


def export(model: str, framework: str, format: str, variant: str, out: str, reference: str | None = None) -> None:
    """Write the artifact to `out/artifact`, and what it cost and said to `out/facts.json`.

    With a reference, the twin's parity with it goes to `out/source_parity.json`.
    """
    pair, exporter = catalog.load(model), formats.load(format)
    if framework not in exporter.FRAMEWORKS or variant not in exporter.VARIANTS:
        takes = f"{' or '.join(exporter.FRAMEWORKS)} as {' or '.join(exporter.VARIANTS)}"
        raise ValueError(f"{format} takes {takes}, not {framework} as {variant}")
    folder = Path(out, ARTIFACT)
    folder.mkdir()
    with facts.deprecations() as deprecations:
        started = time.perf_counter()
        exported = exporter.export(pair, framework, variant, folder)
        export_s = time.perf_counter() - started
    peak_memory_bytes = facts.peak_memory_bytes()
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
    entry = folder / exported.entry
    operators, quantized = _counted(exporter.operators, entry), _counted(getattr(exporter, "quantized", None), entry)
    facts.write(Path(out), Facts(round(export_s, 3), peak_memory_bytes, operators, quantized, deprecations()))
    if reference:
        write_parity(Path(out, SOURCE_PARITY), _twin_parity(pair, cases.load(Path(reference, "parity.npz"))))


def reference(model: str, out: str) -> None:
    """Write the source's answers to `out/parity.npz`, `out/load.npz` and `out/evaluation.npz`.

    Of a hard case the last two are empty. The source is torch's module, and the twin where torch has none.
    """
    matched = catalog.load(model)
    answer = source_answers(matched) if matched.torch_module else twin_answers(matched)
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
    allowed = tolerance(manifest.variant)
    compared = [compare(loaded.infer(case.inputs), case.outputs, allowed, "artifact") for case in parity]
    write_parity(Path(out), worst(compared))


def write_parity(path: Path, parity: Parity) -> None:
    """Write a parity as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(parity), indent=2) + "\n")


def read_parity(path: Path) -> Parity:
    """Read what `write_parity` wrote; raises OSError, ValueError or TypeError where it is not that."""
    return Parity(**json.loads(path.read_text()))


def _twin_parity(matched: Matched, parity: Sequence[Case]) -> Parity:
    answer = twin_answers(matched)
    return worst([compare(answer(case.inputs), case.outputs, hop="source") for case in parity])


def source_answers(matched: Matched) -> Callable[[Tensors], Tensors]:
    """The torch module as a function of arrays."""
    import torch

    module = matched.build("torch")

    def answer(inputs: Tensors) -> Tensors:
        with torch.inference_mode():
            found = module(*[torch.from_numpy(inputs[spec.name]) for spec in matched.inputs])
        tensors = found if isinstance(found, tuple) else (found,)
        return {spec.name: tensor.numpy() for spec, tensor in zip(matched.outputs, tensors, strict=True)}

    return answer


def twin_answers(matched: Matched) -> Callable[[Tensors], Tensors]:
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


def _counted(count: Callable[[Path], int | None] | None, path: Path) -> int | None:
    """A format that cannot count has exported all the same; the log says why."""
    if count is None:
        return None
    try:
        return count(path)
    except Exception:
        traceback.print_exc()
        return None


def preload(framework: str, format: str = "") -> None:
    """Import what exports from a framework need, and prepare a format; a nursery does it before its first job."""
    os.environ |= ENVIRONMENT
    for name in PRELOADS[framework]:
        with suppress(ImportError):
            import_module(name)
    prepare = formats.preloading(formats.load(format)) if format else None
    if prepare:
        prepare()


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    os.environ |= ENVIRONMENT
    commands: dict[str, Callable[..., None]] = {"export": export, "reference": reference, "verify": verify}
    return job.end(lambda: commands[arguments[0]](*arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
