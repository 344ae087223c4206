"""What discovery finds of a format is what its module says."""

from __future__ import annotations

import pytest

from pipelines.formats import torchscript
from pipelines.matrix import ground


def test_a_format_may_say_why_it_does_not_offer_a_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torchscript, "NOT_OFFERED", raising=False)
    assert ground.survey().formats["torchscript"].not_offered == {}
    monkeypatch.setattr(torchscript, "NOT_OFFERED", {"fp16": "no kernels"}, raising=False)
    assert ground.survey().formats["torchscript"].not_offered == {"fp16": "no kernels"}
