"""A plan: every combination is a cell, or is skipped with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from pipelines import experiments
from pipelines.errors import BadExperiment
from pipelines.experiment import Experiment
from pipelines.known import discover
from pipelines.plan import Known, Offer, Way, plan

KNOWN = Known(
    models=["digits_cnn", "minilm"],
    formats={
        "onnx": Way(["torch"], ["fp32"]),
        "tflite": Way(["tensorflow"], ["fp32"]),
        "odd": Way(["torch"], ["fp32"]),
    },
    servers={"ort": Offer(["onnx"], ["oip-http"]), "lite": Offer(["tflite"], ["oip-http"])},
    protocols=["oip-http"],
)


def asked(**changes: object) -> Experiment:
    fields: dict[str, object] = {
        "name": "mine",
        "models": ["digits_cnn", "minilm"],
        "formats": ["onnx", "tflite"],
        "load": {
            "rounds": 4,
            "block_s": 3,
            "workloads": [
                {"name": "steady", "models": ["minilm"], "arrivals": {"kind": "open", "rate_rps": 10}},
                {"name": "closed", "arrivals": {"kind": "closed", "users": 2}},
            ],
        },
    }
    return experiments.parse(yaml.safe_dump(fields | changes), "test")


def test_every_combination_is_a_cell_or_is_skipped_with_its_reason() -> None:
    made = plan(asked(), KNOWN)
    assert [cell.id for cell in made.cells] == [
        "digits_cnn/torch/onnx/fp32/ort/oip-http",
        "digits_cnn/tensorflow/tflite/fp32/lite/oip-http",
        "minilm/torch/onnx/fp32/ort/oip-http",
        "minilm/tensorflow/tflite/fp32/lite/oip-http",
    ]
    assert len(made.cells) + len(made.skipped) == 2 * 2 * 2
    reasons = {skip.reason for skip in made.skipped}
    assert reasons == {
        "format tflite exports from tensorflow, not from torch",
        "format onnx exports from torch, not from tensorflow",
    }


def test_a_variant_that_no_exporter_makes_is_skipped() -> None:
    made = plan(asked(models=["minilm"], formats=["onnx"], frameworks=["torch"], variants=["fp16"]), KNOWN)
    assert [skip.reason for skip in made.skipped] == ["format onnx is exported as fp32, not as fp16"]


def test_a_format_that_no_server_takes_is_skipped() -> None:
    made = plan(asked(formats=["odd"], frameworks=["torch"]), KNOWN)
    assert {skip.reason for skip in made.skipped} == {"none of the known servers accepts format odd"}
    made = plan(asked(formats=["onnx"], frameworks=["torch"], servers=["lite"]), KNOWN)
    assert {skip.reason for skip in made.skipped} == {
        "none of this experiment's servers takes format onnx over oip-http; ort accepts it"
    }


def test_a_protocol_that_a_server_does_not_speak_is_skipped() -> None:
    servers = {"ort": Offer(["onnx"], ["oip-http", "oip-grpc"]), "vino": Offer(["onnx"], ["oip-http"])}
    known = replace(KNOWN, servers=servers, protocols=["oip-http", "oip-grpc"])
    made = plan(asked(models=["minilm"], formats=["onnx"], frameworks=["torch"], protocols=known.protocols), known)
    assert [(cell.server, cell.protocol) for cell in made.cells] == [
        ("ort", "oip-http"),
        ("ort", "oip-grpc"),
        ("vino", "oip-http"),
    ]
    assert [(skip.cell.id, skip.reason) for skip in made.skipped] == [
        ("minilm/torch/onnx/fp32/vino/oip-grpc", "server vino speaks oip-http, not oip-grpc")
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": ["minilm", "gpt"]}, "models: unknown model 'gpt'; known: digits_cnn, minilm"),
        ({"formats": ["tfl"]}, "formats: unknown format 'tfl'; known: odd, onnx, tflite"),
        ({"servers": ["triton"]}, "servers: unknown server 'triton'; known: lite, ort"),
        ({"protocols": ["smtp"]}, "protocols: unknown protocol 'smtp'; known: oip-http"),
    ],
)
def test_an_unknown_name_says_what_is_known(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadExperiment, match=said):
        plan(asked(**change), KNOWN)


def test_what_an_experiment_excludes_is_listed_as_skipped() -> None:
    made = plan(asked(exclude=["*/tflite/*", "minilm/*"]), KNOWN)
    assert [cell.id for cell in made.cells] == ["digits_cnn/torch/onnx/fp32/ort/oip-http"]
    reasons = [skip.reason for skip in made.skipped if skip.cell.server != "-"]
    assert reasons == [
        "the experiment excludes */tflite/*",
        "the experiment excludes minilm/*",
        "the experiment excludes */tflite/*",
    ]


def test_an_exclusion_of_nothing_is_a_slip() -> None:
    with pytest.raises(BadExperiment, match=r"^exclude: no cell of this experiment is like '\*/tfl/\*'"):
        plan(asked(exclude=["*/tfl/*"]), KNOWN)


def test_measuring_time_counts_every_block_once() -> None:
    # minilm: 2 cells × 2 workloads × 4 rounds × 3 s; digits_cnn: 2 cells × 1 workload × 4 rounds × 3 s
    assert plan(asked(), KNOWN).measuring_s == 48 + 24


def test_the_default_experiment_is_eight_cells() -> None:
    made = plan(experiments.load("default"), discover())
    assert len(made.cells) == 8
    assert {cell.format for cell in made.cells} == {"torchscript", "onnx", "savedmodel", "tflite"}
