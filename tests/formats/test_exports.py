"""What every format promises; exports are real, each is made once, and many tests look at it.

The formats that most deployments use are tried in fp32 on every pair; every other format and variant on the smallest.
Where an extra is not installed, its format is skipped with the way to get it. What litert promises is less, and in a
file of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from models import zoo
from models.pair import ModelPair, Quality, Tensors
from pipelines import artifacts, formats, worker
from pipelines.artifacts import Artifact
from pipelines.launch import Nursery, Program
from pipelines.matrix.workshop import CALM
from pipelines.parity import compare, tolerance, worst
from serving import catalog
from serving.reference import artifact as on_disk
from serving.reference import runtimes

pytestmark = pytest.mark.slow  # the first use of an artifact exports it


@dataclass(frozen=True)
class Made:
    """One way from a model to a runtime."""

    model: str
    framework: str
    format: str
    variant: str
    runtime: str = ""

    def __str__(self) -> str:
        return "-".join(filter(None, (self.model, self.framework, self.format, self.variant, self.runtime)))


Export = Callable[[Made], Artifact]

CORE = {
    "onnx": "torch",
    "savedmodel": "tensorflow",
    "tflite": "tensorflow",
    "torch_export": "torch",
    "torchscript": "torch",
}
"""Tried on every pair, from this framework."""
SMALLEST = "digits_cnn"
ANY_SIZE = {"digits_cnn", "minilm", "recommender", "silero_vad"}
"""Pairs that are asked for sizes up to the largest: images of 224 × 224 take too long."""
NOT_COUNTED = {"aot_inductor", "executorch"}
COUNTED = {
    "litert", "onnx", "openvino", "savedmodel", "savedmodel_xla", "tflite", "torch_export", "torchscript",
    "torchscript_script",
}  # fmt: skip
"""Formats that can tell; one that is added may, or may not."""
LAYERS = dict.fromkeys(("digits_cnn", "minilm", "mobilenet_v2", "recommender", "resnet18", "silero_vad"), 5)
"""The fewest operators of a pair; one that is added may have a single one."""
LIBRARY = {"aot_inductor"}
"""Formats that bring code of their own, beside weights."""
QUALITY_KEPT = 0.9
"""Of the source's headline metric, by an int8 artifact."""
BARS = [
    (Made("mobilenet_v2", "torch", "onnx", "int8_static", "onnxruntime"), "top1_agreement", 0.9),
    (Made("minilm", "torch", "onnx", "int8_static", "onnxruntime"), "cosine", 0.98),
]
"""What the larger pairs keep in 8 bits, on ONNX Runtime; test_tflite.py has TFLite's."""


def every_way() -> list[Made]:
    servers, found = [catalog.load(name) for name in catalog.names()], []
    for model, format in product(zoo.names(), formats.names()):
        module = formats.load(format)
        for framework, variant in product(module.FRAMEWORKS, module.VARIANTS):
            core = CORE.get(format) == framework and variant == "fp32"
            if format != "litert" and (core or model == SMALLEST):
                names = sorted({server.runtime for server in servers if format in server.formats})
                found += [Made(model, framework, format, variant, name) for name in names]
    return found


def params(ways: list[Made]) -> list[Any]:
    """Those of one artifact go to the same worker, which makes it once."""
    absent = {format: formats.missing(format) for format in formats.names()}
    found = []
    for way in ways:
        marks = [pytest.mark.xdist_group(str(replace(way, runtime="")))]
        if reason := absent[way.format]:
            marks.append(pytest.mark.skip(reason=reason))
        found.append(pytest.param(way, id=str(way), marks=marks))
    return found


WAYS = every_way()
ARTIFACTS = params(list(dict.fromkeys(replace(way, runtime="") for way in WAYS)))
ONE_A_FORMAT = params(
    list({way.format: way for way in WAYS if way.model == SMALLEST and way.variant == "fp32"}.values())
)


@pytest.fixture(scope="module")
def export() -> Iterator[Export]:
    """The artifact of a way, made in a fork of a process that has imported its framework already."""
    nurseries = {
        name: Nursery(Program("pipelines.worker", (name,), environment=worker.ENVIRONMENT | CALM))
        for name in worker.PRELOADS
    }

    @cache
    def made(model: str, framework: str, format: str, variant: str) -> Artifact:
        artifacts.reference_folder(model, launch=nurseries["torch"])
        return artifacts.export(model, framework, format, variant, launch=nurseries[framework])

    yield lambda way: made(way.model, way.framework, way.format, way.variant)
    for nursery in nurseries.values():
        nursery.close()


@pytest.mark.parametrize("way", params(WAYS))
def test_the_artifact_answers_as_the_source_does(way: Made, export: Export) -> None:
    artifact, allowed = export(way), tolerance(way.variant)
    loaded = runtimes.load(way.runtime, artifact.folder, artifact.manifest, 1)
    cases = artifacts.reference(way.model).parity
    hops = [worst([compare(loaded.infer(case.inputs), case.outputs, allowed) for case in cases])]
    if way.framework == "tensorflow":
        hops.append(worker.read_parity(artifact.folder.parent / worker.SOURCE_PARITY))
    assert all(hop.passed for hop in hops), hops
    assert all(hop.max_rel_error is not None and hop.max_rel_error <= allowed for hop in hops)


def test_a_verification_has_its_hops_in_order(export: Export) -> None:
    way = Made(SMALLEST, "tensorflow", "savedmodel", "fp32", "tensorflow")
    assert [hop.hop for hop in artifacts.verify(export(way), way.runtime)] == ["source", "artifact"]


@pytest.mark.parametrize("way", params([way for way in WAYS if way.variant.startswith("int8")]))
def test_int8_keeps_the_quality(way: Made, export: Export) -> None:
    headline, *_ = quality(way, export(way))
    assert headline.value >= QUALITY_KEPT * headline.reference


@pytest.mark.parametrize(("way", "metric", "least"), BARS, ids=[str(way) for way, *_ in BARS])
def test_what_onnx_runtime_computes_in_8_bits_stays_good(way: Made, metric: str, least: float, export: Export) -> None:
    artifact = export(way)
    assert artifact.facts.quantized
    assert {each.metric: each.value for each in quality(way, artifact)}[metric] >= least


@pytest.mark.parametrize("way", params([way for way in WAYS if way.model in ANY_SIZE and way.variant == "fp32"]))
def test_sizes_never_seen_in_the_export_work(way: Made, export: Export) -> None:
    artifact = export(way)
    loaded = runtimes.load(way.runtime, artifact.folder, artifact.manifest, 1)
    for sizes, inputs, expected in unseen(way.model):
        parity = compare(loaded.infer(inputs), expected, tolerance(way.variant))
        assert parity.passed, (sizes, parity)


@pytest.mark.parametrize("way", ARTIFACTS)
def test_operators_are_counted_where_the_format_can_tell(way: Made, export: Export) -> None:
    artifact = export(way)
    counted = artifact.facts.operators
    if way.format in NOT_COUNTED:
        assert counted is None
    elif counted is None:  # for good: what `operators` raises in an export is only logged
        assert way.format not in COUNTED
        assert formats.load(way.format).operators(artifact.folder / artifact.manifest.entry) is None
    else:
        assert counted >= LAYERS.get(way.model, 1)


@pytest.mark.parametrize("way", ARTIFACTS)
def test_the_manifest_names_tensors_as_the_pair_does(way: Made, export: Export) -> None:
    pair, manifest = zoo.load(way.model), export(way).manifest
    for tensors, specs in ((manifest.inputs, pair.inputs), (manifest.outputs, pair.outputs)):
        assert [(t.name, t.dtype, t.shape) for t in tensors] == [(s.name, s.dtype, s.shape) for s in specs]
    assert {"python", *formats.load(way.format).PACKAGES} <= manifest.versions.keys()
    assert manifest.export_s > 0


@pytest.mark.parametrize("way", [way for way in ARTIFACTS if way.values[0].format not in LIBRARY])
def test_weights_are_stored_once(way: Made, export: Export) -> None:
    pair = zoo.load(way.model)
    examples = [sum(array.nbytes for array in inputs.values()) for inputs in pair.parity_inputs()]
    beside = max(examples) if way.format == "torch_export" else 0  # torch.export.save keeps the example inputs
    assert export(way).bytes - beside < 1.3 * pair.weights().stat().st_size


@pytest.mark.parametrize("way", ONE_A_FORMAT)
def test_another_user_can_read_the_artifact(way: Made, export: Export) -> None:
    folder = export(way).folder
    for path in (folder.parent, folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o005 == (0o005 if path.is_dir() else 0o004), path


@pytest.mark.parametrize("way", ONE_A_FORMAT)
def test_a_second_export_is_a_cache_hit(way: Made, export: Export) -> None:
    first, again = export(way), artifacts.export(way.model, way.framework, way.format, way.variant)
    assert again.cached
    assert (again.folder, again.manifest) == (first.folder, first.manifest)
    assert on_disk.verify(again.folder) == again.manifest


def test_where_an_extra_is_absent_its_format_is_skipped_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/g++")
    monkeypatch.setattr(formats, "_installed", lambda package: package != "executorch")
    skipped = {
        param.values[0].format: [mark.kwargs["reason"] for mark in param.marks if mark.name == "skip"]
        for param in params(WAYS)
    }
    assert skipped["executorch"] == ["executorch not installed; get it with: make extras EXTRAS=executorch"]
    assert {format for format, reasons in skipped.items() if reasons} == {"executorch"}


def quality(way: Made, artifact: Artifact) -> Sequence[Quality]:
    loaded = runtimes.load(way.runtime, artifact.folder, artifact.manifest, 1)
    cases = artifacts.reference(way.model).evaluation
    return zoo.load(way.model).quality([loaded.infer(case.inputs) for case in cases], [case.outputs for case in cases])


@cache
def unseen(model: str) -> list[tuple[dict[str, int], Tensors, Tensors]]:
    """Sizes, inputs and the source's answer: odd sizes, each axis at its largest while the others are small, and all
    at their smallest."""
    pair = zoo.load(model)
    smallest = {axis: low for axis, (low, _) in pair.axes.items()}
    largest = [smallest | {axis: high} for axis, (_, high) in pair.axes.items()]
    sizes = [*(dict.fromkeys(pair.axes, size) for size in (5, 43)), smallest, *largest]
    inputs = [resized(pair, each) for each in sizes]
    return list(zip(sizes, inputs, source_answers(pair, inputs), strict=True))


def resized(pair: ModelPair, sizes: dict[str, int]) -> Tensors:
    """A real request of batch 1 repeated along its axes, so that ids stay ids and the mask stays ones."""
    request = pair.load_inputs()[0]
    shapes = {
        spec.name: [sizes[axis] if isinstance(axis, str) else axis for axis in spec.shape] for spec in pair.inputs
    }
    return {name: np.resize(array, shapes[name]) for name, array in request.items()}


def source_answers(pair: ModelPair, requests: list[Tensors]) -> list[Tensors]:
    import torch

    module, answers = pair.build("torch"), []
    for inputs in requests:
        with torch.inference_mode():
            found = module(*[torch.from_numpy(inputs[spec.name]) for spec in pair.inputs])
        tensors = found if isinstance(found, tuple) else (found,)
        answers.append({spec.name: tensor.numpy() for spec, tensor in zip(pair.outputs, tensors, strict=True)})
    return answers
