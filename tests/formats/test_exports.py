"""What every format promises; exports are real.

The formats that most deployments use are tried in fp32 on every pair; every other format and variant on the smallest.
Where an extra is not installed, its format is skipped with the way to get it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from models import zoo
from models.pair import ModelPair, Tensors
from pipelines import artifacts, formats
from pipelines.artifacts import Artifact
from pipelines.parity import compare, tolerance
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
    runtime: str

    @property
    def artifact(self) -> Artifact:
        return artifacts.export(self.model, self.framework, self.format, self.variant)


CORE = {"onnx", "savedmodel", "tflite", "torch_export", "torchscript"}
SMALLEST = "digits_cnn"
QUALITY_KEPT = 0.9
"""Of the source's headline metric, by an int8 artifact."""


def every_way() -> Iterator[Any]:
    servers = [catalog.load(name) for name in catalog.names()]
    for model, format in product(zoo.NAMES, formats.NAMES):
        module, absent = formats.load(format), formats.missing(format)
        for runtime in sorted({server.runtime for server in servers if format in server.formats}):
            for framework, variant in product(module.FRAMEWORKS, module.VARIANTS):
                if model == SMALLEST or (format in CORE and variant == "fp32"):
                    marks = [pytest.mark.skip(reason=absent)] if absent else []
                    way = Made(model, framework, format, variant, runtime)
                    yield pytest.param(way, id=f"{model}-{framework}-{format}-{variant}-{runtime}", marks=marks)


@pytest.fixture(params=every_way())
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.param
    return found


def test_the_artifact_answers_as_the_source_does(made: Made) -> None:
    hops = artifacts.verify(made.artifact, made.runtime)
    expected = ["source", "artifact"] if made.framework == "tensorflow" else ["artifact"]
    assert [hop.hop for hop in hops] == expected
    assert all(hop.passed for hop in hops), hops
    errors = [hop.max_rel_error for hop in hops]
    assert all(error is not None and error <= tolerance(made.variant) for error in errors)


def test_int8_keeps_the_quality(made: Made) -> None:
    if not made.variant.startswith("int8"):
        pytest.skip("judged by its parity alone")
    pair, artifact = zoo.load(made.model), made.artifact
    loaded = runtimes.load(made.runtime, artifact.folder, artifact.manifest, 1)
    evaluation = pair.evaluation_inputs()
    headline, *_ = pair.quality(
        [loaded.infer(case) for case in evaluation], [source_answer(pair, case) for case in evaluation]
    )
    assert headline.value >= QUALITY_KEPT * headline.reference


def test_operators_are_counted_where_the_format_can_tell(made: Made) -> None:
    counted = made.artifact.facts.operators
    assert (counted is None) if made.format in {"aot_inductor", "executorch"} else (counted and counted >= 5)


def test_sizes_never_seen_in_the_export_work(made: Made) -> None:
    pair, artifact = zoo.load(made.model), made.artifact
    loaded = runtimes.load(made.runtime, artifact.folder, artifact.manifest, 1)
    for sizes in unseen_sizes(pair):
        inputs = resized(pair, sizes)
        parity = compare(loaded.infer(inputs), source_answer(pair, inputs), tolerance(made.variant))
        assert parity.passed, (sizes, parity)


def test_the_manifest_names_tensors_as_the_pair_does(made: Made) -> None:
    pair, manifest = zoo.load(made.model), made.artifact.manifest
    for tensors, specs in ((manifest.inputs, pair.inputs), (manifest.outputs, pair.outputs)):
        assert [(t.name, t.dtype, t.shape) for t in tensors] == [(s.name, s.dtype, s.shape) for s in specs]
    assert {"python", *formats.load(made.format).PACKAGES} <= manifest.versions.keys()
    assert manifest.export_s > 0


def test_weights_are_stored_once(made: Made) -> None:
    assert made.artifact.bytes < 1.3 * zoo.load(made.model).weights().stat().st_size


def test_another_user_can_read_the_artifact(made: Made) -> None:
    folder = made.artifact.folder
    for path in (folder.parent, folder, *folder.rglob("*")):
        assert path.stat().st_mode & 0o005 == (0o005 if path.is_dir() else 0o004), path


def test_a_second_export_is_a_cache_hit(made: Made) -> None:
    first = made.artifact
    again = made.artifact
    assert again.cached
    assert (again.folder, again.manifest) == (first.folder, first.manifest)
    assert on_disk.verify(again.folder) == again.manifest


def unseen_sizes(pair: ModelPair) -> Iterator[dict[str, int]]:
    """Odd sizes, each axis at its largest while the others are small, and all at their smallest."""
    for size in (5, 43):
        yield dict.fromkeys(pair.axes, size)
    smallest = {axis: low for axis, (low, _) in pair.axes.items()}
    yield smallest
    yield from (smallest | {axis: high} for axis, (_, high) in pair.axes.items())


def resized(pair: ModelPair, sizes: dict[str, int]) -> Tensors:
    """A real request of batch 1 repeated along its axes, so that ids stay ids and the mask stays ones."""
    request = pair.load_inputs()[0]
    shapes = {
        spec.name: [sizes[axis] if isinstance(axis, str) else axis for axis in spec.shape] for spec in pair.inputs
    }
    return {name: np.resize(array, shapes[name]) for name, array in request.items()}


def source_answer(pair: ModelPair, inputs: Tensors) -> Tensors:
    import torch

    with torch.inference_mode():
        answer = source(pair.name)(*[torch.from_numpy(inputs[spec.name]) for spec in pair.inputs])
    tensors = answer if isinstance(answer, tuple) else (answer,)
    return {spec.name: tensor.numpy() for spec, tensor in zip(pair.outputs, tensors, strict=True)}


@cache
def source(model: str) -> Any:
    return zoo.load(model).build("torch")
