"""Real sentences as the model reads them: token ids and mask, padded to the longest of their batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from models.pair import Tensors
from models.zoo.minilm.package import file

SENTENCES = Path(__file__).with_name("sentences.json")
LONGEST = 256  # tokens: what the model was trained with; the position table would hold 512
EVALUATION_BATCH = 8


@cache
def sentences() -> tuple[str, ...]:
    """Sentences of 3 to about 40 tokens on unrelated subjects."""
    return tuple(json.loads(SENTENCES.read_text())["sentences"])


@cache
def paraphrases() -> tuple[tuple[str, str], ...]:
    """Pairs that say the same; the subjects of any two pairs are unrelated."""
    return tuple((first, second) for first, second in json.loads(SENTENCES.read_text())["paraphrases"])


def tokenize(texts: Sequence[str]) -> Tensors:
    """`input_ids` and `attention_mask`, int64 (len(texts), longest of them)."""
    encoded = _tokenizer().encode_batch(list(texts))
    return {
        "input_ids": np.array([text.ids for text in encoded], np.int64),
        "attention_mask": np.array([text.attention_mask for text in encoded], np.int64),
    }


def parity_inputs() -> list[Tensors]:
    """Batches of 1, 3, 8 and 16; among them one word, a batch of very unequal lengths, and a text near `LONGEST`."""
    texts = sentences()
    by_length = sorted(texts, key=len)
    unequal = [by_length[0], by_length[-1], by_length[30]]
    page = " ".join(texts[:16])
    return [tokenize(batch) for batch in ([texts[0]], [texts[4]], unequal, texts[8:16], texts[20:36], [page])]


def load_inputs() -> list[Tensors]:
    """Every sentence on its own, so request lengths vary as the sentences do."""
    return [tokenize([text]) for text in sentences()]


def evaluation_inputs() -> list[Tensors]:
    """The sentences, then the first halves of the paraphrases, then the second halves, in batches of 8."""
    texts = [*sentences(), *(first for first, _ in paraphrases()), *(second for _, second in paraphrases())]
    return [tokenize(texts[start : start + EVALUATION_BATCH]) for start in range(0, len(texts), EVALUATION_BATCH)]


@cache
def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file("tokenizer.json")))
    # The file pads everything to 128 tokens, which would hide the dynamic sequence axis.
    tokenizer.enable_padding(length=None, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(LONGEST)
    return tokenizer
