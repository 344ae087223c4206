"""No artifact gets to run code by being loaded, but an AOTInductor package, which is native code by its nature."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.export.pt2_archive import PT2ArchiveWriter

from serving.reference import runtimes
from serving.reference.artifact import ArtifactError, verify
from tests.serving import tiny
from tests.serving.conftest import Artifacts

CONSTANTS = "data/constants/model_constants_config.json"
WEIGHTS = "data/weights/model_weights_config.json"
PROGRAM = "models/model.json"
SAMPLES = "data/sample_inputs/model.pt"

Members = dict[str, bytes]


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self._trace),)


def _saved(trace: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(Malicious(trace), buffer)
    return buffer.getvalue()


def _payload(path_name: str) -> bytes:
    payload = {"path_name": path_name, "is_param": False, "use_pickle": True, "tensor_meta": None}
    return json.dumps({"config": {"c": payload}}).encode()


def _samples(members: Members, trace: Path) -> None:
    members[SAMPLES] = _saved(trace)


def _pickled_weight(members: Members, trace: Path) -> None:
    members |= {WEIGHTS: _payload("weight_0"), "data/weights/weight_0": _saved(trace)}


def _opaque_constant(members: Members, trace: Path) -> None:
    members |= {CONSTANTS: _payload("opaque_obj_0"), "data/constants/opaque_obj_0": pickle.dumps(Malicious(trace))}


def _custom_object(members: Members, trace: Path) -> None:
    members |= {CONSTANTS: _payload("custom_obj_0"), "data/constants/custom_obj_0": _saved(trace)}


def _older_weights(members: Members, trace: Path) -> None:
    members["data/weights/model.pt"] = _saved(trace)


def _native_code_beside(members: Members, trace: Path) -> None:  # noqa: ARG001
    members["data/aotinductor/model/x.wrapper.so"] = b"\x7fELF"


def _second_program(members: Members, trace: Path) -> None:
    members |= {"models/other.json": members[PROGRAM], "data/sample_inputs/other.pt": _saved(trace)}


def _evaluated_size(members: Members, trace: Path) -> None:
    code = f"__import__('os').mkdir({str(trace)!r})"
    members[PROGRAM] = members[PROGRAM].replace(b"Symbol('s", f"{code} or Symbol('s".encode(), 1)
    assert code.encode() in members[PROGRAM]


def _any_function_of_torch(members: Members, trace: Path) -> None:  # noqa: ARG001
    members[PROGRAM] = members[PROGRAM].replace(b"torch.ops.aten.mul.Tensor", b"torch.serialization.os.mkdir")


def _loader_of_libraries(members: Members, trace: Path) -> None:  # noqa: ARG001
    members[PROGRAM] = members[PROGRAM].replace(b"torch.ops.aten.mul.Tensor", b"torch.ops.load_library")


def _name_that_is_source(members: Members, trace: Path) -> None:
    program = json.loads(members[PROGRAM])
    program["graph_module"]["module_call_graph"][0]["signature"]["forward_arg_names"] = [
        f"x=__import__('os').mkdir({str(trace)!r})"
    ]
    members[PROGRAM] = json.dumps(program).encode()


@pytest.mark.parametrize(
    "spoil",
    [
        _samples,
        _pickled_weight,
        _opaque_constant,
        _custom_object,
        _older_weights,
        _native_code_beside,
        _second_program,
        _evaluated_size,
        _any_function_of_torch,
        _loader_of_libraries,
        _name_that_is_source,
    ],
)
def test_an_export_that_would_run_code_is_refused_unread(
    spoil: Callable[[Members, Path], None], artifacts: Artifacts, tmp_path: Path
) -> None:
    source, trace = artifacts("torch_export") / "model.pt2", tmp_path / "trace"
    with zipfile.ZipFile(source) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    spoil(members, trace)
    with PT2ArchiveWriter(str(tmp_path / "model.pt2")) as writer:
        for name, content in members.items():
            if not name.startswith(".data/") and name != "byteorder":
                writer.write_bytes(name, content)
    with pytest.raises(ArtifactError, match=r"model\.pt2: refused, because it has ") as caught:
        _load(tmp_path, "torch_export", "model.pt2")
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_these_exports_are_malicious_indeed(artifacts: Artifacts, tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing: this one is what torch itself makes of sample inputs."""
    trace = tmp_path / "trace"
    with zipfile.ZipFile(artifacts("torch_export") / "model.pt2") as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    with PT2ArchiveWriter(str(tmp_path / "model.pt2")) as writer:
        for name, content in (members | {SAMPLES: _saved(trace)}).items():
            if not name.startswith(".data/") and name != "byteorder":
                writer.write_bytes(name, content)
    with contextlib.suppress(Exception):  # of no interest: by then it has happened
        torch.export.load(tmp_path / "model.pt2")
    assert trace.exists()


def test_an_archive_that_python_and_torch_read_differently_is_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    content = (artifacts("torch_export") / "model.pt2").read_bytes()
    (tmp_path / "model.pt2").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "model.pt2", "a") as archive:
        archive.writestr("version", "8.20")
        archive.writestr("serialized_example_inputs.pt", _saved(trace))
    with pytest.raises(ArtifactError, match=r"not a torch\.export archive"):
        _load(tmp_path, "torch_export", "model.pt2")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("form", "entry", "words"),
    [
        ("torchscript", "model.pt", "not a TorchScript module"),
        ("torch_export", "model.pt2", "not a torch.export archive"),
        ("aot_inductor", "model.pt2", "not an AOTInductor package"),
    ],
)
@pytest.mark.parametrize("kind", ["torch.save", "older torch.save", "pickle", "text", "nothing"])
def test_any_other_file_is_one_clear_line(form: str, entry: str, words: str, kind: str, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / entry
    if kind.endswith("torch.save"):
        torch.save(Malicious(trace), path, _use_new_zipfile_serialization=kind == "torch.save")
    else:
        contents = {"pickle": pickle.dumps(Malicious(trace)), "text": b"import os\n" * 100, "nothing": b""}
        path.write_bytes(contents[kind])
    with pytest.raises(ArtifactError, match=words) as caught:
        _load(tmp_path, form, entry)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_a_pickle_inside_a_torchscript_file_is_not_run(artifacts: Artifacts, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with zipfile.ZipFile(artifacts("torchscript") / "model.pt") as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    writer = torch._C.PyTorchFileWriter(str(tmp_path / "model.pt"))
    for name, content in (members | {"data.pkl": pickle.dumps(Malicious(trace), protocol=2)}).items():
        if not name.startswith(".data/"):
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    with pytest.raises(ArtifactError, match=r"model\.pt: not a TorchScript module"):
        _load(tmp_path, "torchscript", "model.pt")
    assert not trace.exists()


def _load(folder: Path, form: str, entry: str) -> None:
    tiny.seal(folder, form, entry)
    runtimes.load("libtorch", folder, verify(folder), 1)
