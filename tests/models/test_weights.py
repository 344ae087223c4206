"""Canonical weights and cases survive their files, and the fingerprint sees what matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import cases, fingerprint, made_weights, weights
from models.cases import Case
from models.errors import WeightsMissing


def test_canonical_weights_survive_their_file(tmp_path: Path) -> None:
    stored = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    weights.write(tmp_path / "w.safetensors", stored)
    np.testing.assert_array_equal(weights.read(tmp_path / "w.safetensors")["a.weight"], stored["a.weight"])


def test_a_dense_layer_after_flatten_reads_the_same_pixels_in_both_layouts() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((5, 3, 2, 4), np.float32)
    canonical = {"d.weight": rng.random((7, 24), np.float32), "d.bias": rng.random(7, np.float32)}
    kernel, bias = weights.dense_after_flatten(canonical, "d", channels=3, height=2, width=4)
    torch_way = image.reshape(5, -1) @ canonical["d.weight"].T + canonical["d.bias"]
    keras_way = image.transpose(0, 2, 3, 1).reshape(5, -1) @ kernel + bias
    np.testing.assert_allclose(keras_way, torch_way, rtol=1e-6)


def test_a_depthwise_kernel_filters_the_same_channel_in_both_layouts() -> None:
    rng = np.random.default_rng(0)
    window = rng.random((5, 3, 2), np.float32)  # channels, height, width
    canonical = {"c.weight": rng.random((5, 1, 3, 2), np.float32)}
    (kernel,) = weights.depthwise_conv2d(canonical, "c")
    torch_way = np.einsum("chw,cihw->c", window, canonical["c.weight"])
    keras_way = np.einsum("hwc,hwcm->c", window.transpose(1, 2, 0), kernel)
    np.testing.assert_allclose(keras_way, torch_way, rtol=1e-6)


def test_a_module_takes_its_canonical_weights_and_nothing_else(tmp_path: Path) -> None:
    import torch

    source, path = torch.nn.BatchNorm1d(4), tmp_path / "w.safetensors"
    torch.nn.init.uniform_(source.weight)
    canonical = weights.from_state(source.state_dict())
    weights.write(path, canonical)
    filled = torch.nn.BatchNorm1d(4)
    weights.fill(filled, path)
    assert filled.weight.equal(source.weight)
    weights.write(path, {"other": canonical.pop("weight"), **canonical})
    with pytest.raises(ValueError, match=r"w.safetensors: tensors missing or unexpected: weight, other"):
        weights.fill(filled, path)


def test_weights_are_made_once_for_what_decides_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The maker counts how often it runs."""
    (tmp_path / "maker.py").write_text(
        "import pathlib, sys\n"
        "runs = pathlib.Path(__file__).with_name('runs')\n"
        "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
        "pathlib.Path(sys.argv[1]).write_text('weights')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(made_weights, "CACHE", tmp_path / "cache")
    made = [made_weights.made("m", decided_by, "maker") for decided_by in ("a", "a", "b")]
    assert made[0] == made[1] != made[2]
    assert made[2].read_text() == "weights"
    assert (tmp_path / "runs").read_text() == "xx"


def test_a_maker_that_fails_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_weights, "CACHE", tmp_path)
    with pytest.raises(WeightsMissing, match=r"^m: no weights at .*m-a\.safetensors; .*No module named nowhere_to_be"):
        made_weights.made("m", "a", "nowhere_to_be_found")
    assert list(tmp_path.iterdir()) == []


def test_cases_survive_their_file_in_order(tmp_path: Path) -> None:
    stored = [Case({"x": np.full((n, 2), n)}, {"y": np.array([n], np.float32)}) for n in range(12)]
    cases.save(tmp_path / "cases.npz", stored)
    loaded = cases.load(tmp_path / "cases.npz")
    assert [case.inputs["x"].shape[0] for case in loaded] == list(range(12))
    assert loaded[3].outputs["y"].dtype == np.float32


def test_a_fingerprint_changes_with_words_names_and_contents(tmp_path: Path) -> None:
    for name, text in (("a.py", "x = 1"), ("b.py", "x = 1"), ("c.py", "x = 2")):
        (tmp_path / name).write_text(text)
    prints = [fingerprint.digest(["fp32"], [tmp_path / name]) for name in ("a.py", "b.py", "c.py")]
    assert len({*prints, fingerprint.digest(["int8"], [tmp_path / "a.py"])}) == 4


def test_a_fingerprint_does_not_change_with_the_place(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        _folder(tmp_path / folder)
        (tmp_path / folder / "model.py").write_text("x = 1")
    here, there = (fingerprint.digest([], [tmp_path / folder / "model.py"]) for folder in ("here", "there"))
    assert here == there


def test_what_python_leaves_behind_and_what_people_read_is_no_source(tmp_path: Path) -> None:
    _folder(tmp_path / "__pycache__")
    for name in ("model.py", "README.md", ".model.py.swp", "__pycache__/model.pyc"):
        (tmp_path / name).touch()
    assert fingerprint.sources(tmp_path) == [tmp_path / "model.py"]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
