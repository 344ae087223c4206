"""What a torch.export archive must not contain.

torch 2.13 reads such an archive by ways that run code from it: `torch.load(weights_only=False)` for sample inputs
whose safe reading fails, for unusual weights and constants, and for all files of its older layout; `pickle.loads` for
opaque constants; `sympify`, which is `eval`, for symbolic sizes; and names that are written into generated source or
looked up anywhere in torch. Here an archive is read first without any of them, and refused where torch would need one.
(torch/export/pt2_archive/_package.py and torch/_export/serde/serialize.py)
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from serving.reference.artifact import ArtifactError

_PLAIN_MEMBERS = re.compile(
    r"archive_format|archive_version|byteorder|\.data/\w+|extra/.*|models/model\.json|data/sample_inputs/model\.pt"
    r"|data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
)
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_PROGRAM, _SAMPLES = "models/model.json", "data/sample_inputs/model.pt"

_FREE_TEXT = {"metadata", "guards_code"}  # the first is never run; the second only where guards are asked for
_NAMES = {"name", "as_name", "forward_arg_names"}
_PATHS = {"parameter_name", "buffer_name", "tensor_constant_name"}
_TREES = {"in_spec", "out_spec"}
_OPERATORS = {"target", "as_operator"}

_PYTHON_OPERATORS = re.compile(
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|lshift|rshift|getitem)"
    r"|math\.(ceil|floor|trunc)|torch\.(sym_int|sym_float|sym_ite|sym_max|sym_min|sym_not|sym_sum|_sym_sqrt)"
)
_FUNCTIONS = re.compile(r"[A-Z]\w*|floor|ceiling")
_SYMBOLS = re.compile(r"[a-z]+\d+|oo|int_oo|true|false")
_TEXTS = re.compile(r"[a-z]+\d+|[\d.e+-]+")
_ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Tuple, ast.keyword)
_MARKS = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)


def check(path: Path) -> None:
    """Raise `ArtifactError` where the file is no torch.export archive, or loading it would run something from it."""
    from torch.export.pt2_archive import PT2ArchiveReader

    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.namelist()
        reader = PT2ArchiveReader(str(path))
        members = reader.get_file_names()
        _check_members(path, listed, members)
        for config in _CONFIGS:
            _check_payloads(path, json.loads(reader.read_string(config)))
        _check_samples(path, reader.read_bytes(_SAMPLES))
        _check_program(path, "", json.loads(reader.read_string(_PROGRAM)))
    except (
        RuntimeError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
        zipfile.BadZipFile,
    ) as exc:
        reason = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ArtifactError(f"{path.name}: not a torch.export archive: {reason[0]}") from exc


def _check_members(path: Path, listed: list[str], members: list[str]) -> None:
    # The two readers must agree: torch falls back to Python's for the older layout, which is all pickles.
    if len(listed) != len(set(listed)) or sorted(name.partition("/")[2] for name in listed) != sorted(members):
        raise ArtifactError(f"{path.name}: not a torch.export archive: its list of members is ambiguous")
    for member in members:
        if not _PLAIN_MEMBERS.fullmatch(member):
            raise _refused(path, f"member {member!r}, which only an unsafe loader reads")


def _check_payloads(path: Path, config: dict[str, Any]) -> None:
    for name, payload in config["config"].items():
        if payload["use_pickle"] or not re.fullmatch(r"(weight|tensor)_\d+", payload["path_name"]):
            raise _refused(path, f"{name!r} as a pickle")


def _check_samples(path: Path, content: bytes) -> None:
    import torch

    if content:
        try:
            torch.load(io.BytesIO(content), weights_only=True)
        except Exception as exc:  # unpickling fails in as many ways as there are objects
            raise _refused(path, "sample inputs that need an unsafe unpickler") from exc


def _check_program(path: Path, key: str, value: object) -> None:
    if isinstance(value, dict):
        for inner, item in value.items():
            if inner not in _FREE_TEXT:
                _check_program(path, inner, item)
    elif isinstance(value, list):
        for item in value:
            _check_program(path, key, item)
    elif isinstance(value, str) and not _harmless(key, value):
        raise _refused(path, f"{key} {value[:80]!r}, which is none that torch.export writes")


def _harmless(key: str, text: str) -> bool:
    if key in _OPERATORS:
        return _is_operator(text)
    if key == "expr_str":
        return _is_arithmetic(text)
    if key in _NAMES:
        return text == "" or text.isidentifier()
    if key in _PATHS:
        return re.fullmatch(r"[\w.]+", text) is not None
    if key in _TREES:  # no call, no assignment: nothing that generated source would run
        return re.fullmatch(r"[\w\s\[\]{}\",:.\\/-]*", text) is not None and "defaultdict" not in text
    return True


def _is_operator(target: str) -> bool:
    if _PYTHON_OPERATORS.fullmatch(target):
        return True
    import torch

    found: Any = torch
    first, *names = target.split(".")
    for name in names:
        found = getattr(found, name, None)
    return first == "torch" and isinstance(found, torch._ops.OpOverload | torch._ops.HigherOrderOperator)


def _is_arithmetic(text: str) -> bool:
    try:
        return all(map(_is_arithmetic_node, ast.walk(ast.parse(text.strip(), mode="eval"))))
    except (SyntaxError, RecursionError, MemoryError):
        return False


def _is_arithmetic_node(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return _SYMBOLS.fullmatch(node.id) is not None or _FUNCTIONS.fullmatch(node.id) is not None
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and _FUNCTIONS.fullmatch(node.func.id) is not None
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str | bytes) or _TEXTS.fullmatch(str(node.value)) is not None
    return isinstance(node, _ARITHMETIC + _MARKS)


def _refused(path: Path, what: str) -> ArtifactError:
    return ArtifactError(f"{path.name}: refused, because it has {what}")
