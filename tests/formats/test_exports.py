"""What every format promises, on every pair, framework, variant and runtime there is; exports are real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from models import zoo
from models.pair import ModelPair, Tensors
from pipelines import artifacts, formats
from pipelines.artifacts import Artifact
from pipelines.parity import compare
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


def every_way() -> Iterator[Made]:
    servers = [catalog.load(name) for name in catalog.names()]
    for model in zoo.NAMES:
        for format in formats.NAMES:
            module = formats.load(format)
            for runtime in sorted({server.runtime for server in servers if format in server.formats}):
                for framework in module.FRAMEWORKS:
                    yield from (Made(model, framework, format, variant, runtime) for variant in module.VARIANTS)


@pytest.fixture(params=every_way(), ids=lambda made: f"{made.model}-{made.framework}-{made.format}-{made.runtime}")
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.param
    return found


def test_the_artifact_answers_as_the_source_does(made: Made) -> None:
    hops = artifacts.verify(made.artifact, made.runtime)
    expected = ["source", "artifact"] if made.framework == "tensorflow" else ["artifact"]
    assert [hop.hop for hop in hops] == expected
    assert all(hop.passed for hop in hops), hops
    assert all(hop.max_rel_error is not None and hop.max_rel_error <= 1e-4 for hop in hops)


def test_sizes_never_seen_in_the_export_work(made: Made) -> None:
    pair, artifact = zoo.load(made.model), made.artifact
    loaded = runtimes.load(made.runtime, artifact.folder, artifact.manifest, 1)
    for sizes in unseen_sizes(pair):
        inputs = resized(pair, sizes)
        parity = compare(loaded.infer(inputs), source_answer(pair, inputs))
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
    return zoo.load(model).torch_module()
