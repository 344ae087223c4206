"""Silero VAD: the published architecture, faithfully, on audio that it takes for speech."""

from __future__ import annotations

import numpy as np
import pytest

from models import weights, zoo
from models.errors import WeightsMissing
from models.pair import Tensors
from models.zoo.silero_vad import numpy_model, package
from models.zoo.silero_vad.quality import quality

PUBLISHED = "silero_vad_16k_op15.onnx"
OURS = {
    "model.stft.forward_basis_buffer": "stft_conv.weight",
    "model.decoder.decoder.2.weight": "final_conv.weight",
    "model.decoder.decoder.2.bias": "final_conv.bias",
} | {
    f"model.encoder.{index}.reparam_conv.{part}": f"conv{index + 1}.{part}"
    for index in range(4)
    for part in ("weight", "bias")
}


def test_with_the_published_onnx_files_weights_it_answers_as_that_file() -> None:
    """Its own weights are those of another checkpoint, so they cannot be compared."""
    import onnx
    import onnxruntime
    import torch

    path = package.PUBLISHED.file(PUBLISHED)
    module = zoo.load("silero_vad").build("torch")
    state = {}
    for tensor in onnx.load(path).graph.initializer:
        name = OURS.get(tensor.name, tensor.name.replace("model.decoder.rnn", "lstm_cell"))
        if name in module.state_dict():
            state[name] = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
    module.load_state_dict(state)  # strict: all of ours are there
    session = onnxruntime.InferenceSession(str(path))
    for case in zoo.load("silero_vad").evaluation_inputs()[::6]:
        feed = {"input": case["audio"], "state": case["state"], "sr": np.array(16_000, np.int64)}
        with torch.inference_mode():
            found = module(torch.from_numpy(case["audio"]), torch.from_numpy(case["state"]))
        for ours, theirs in zip(found, session.run(None, feed), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-5 * max(1.0, float(np.abs(theirs).max())))


def test_the_states_are_those_that_the_source_leaves() -> None:
    import torch

    pair = zoo.load("silero_vad")
    module, canonical = pair.build("torch"), weights.read(pair.weights())
    for case in pair.evaluation_inputs()[::16]:
        with torch.inference_mode():
            found = module(torch.from_numpy(case["audio"]), torch.from_numpy(case["state"]))
        for theirs, ours in zip(found, numpy_model.step(canonical, case["audio"], case["state"]), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5 * max(1.0, float(theirs.abs().max())))


def test_the_audio_has_speech_and_pauses() -> None:
    pair = zoo.load("silero_vad")
    canonical = weights.read(pair.weights())
    said = [numpy_model.step(canonical, **case)[0] > 0.5 for case in pair.evaluation_inputs()]
    assert 0.5 < np.mean(said) < 0.9


def test_quality_counts_chunks_and_measures_distance() -> None:
    agreement, closeness = quality([_batch(0.6, 0.4)], [_batch(0.4, 0.4)])
    assert agreement.value == 0.5
    assert closeness.value == pytest.approx(0.9)


def test_other_bytes_than_the_published_ones_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "SHA256", "0" * 64)
    with pytest.raises(WeightsMissing, match=r"of sha256 0{64}, but other bytes .*; install it with: pip install"):
        zoo.load("silero_vad").weights()


def _batch(*probabilities: float) -> Tensors:
    return {"probability": np.array(probabilities, np.float32)[:, None]}
