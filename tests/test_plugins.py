"""What is added and cannot be used costs one line that names it and its fault, whatever the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODELS, CASES = "DEPLOY_COMPARE_MODELS", "DEPLOY_COMPARE_HARD_CASES"
FORMATS, SERVERS = "DEPLOY_COMPARE_FORMATS", "DEPLOY_COMPARE_SERVERS"
LISTED = {MODELS: "models", CASES: "hard-cases", FORMATS: "formats", SERVERS: "servers"}
FORMAT = """FRAMEWORKS, VARIANTS, PACKAGES, EXTRA = ("torch",), ("fp32",), (), None


def export(matched, framework, variant, folder):
    raise NotImplementedError


def operators(path):
    return None
"""


def call(*words: str, **plugins: Path | str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: what is found is found once."""
    return subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main()", *words],
        cwd=ROOT,
        env=os.environ | {name: str(folder) for name, folder in plugins.items()},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(*words: str, **plugins: Path | str) -> str:
    ended = call(*words, **plugins)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    (line,) = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pair = (\n", ": SyntaxError: "),
        ("import nosuch\n", ":1: ModuleNotFoundError: No module named 'nosuch'"),
        ("import sys\n\nsys.exit(3)\n", ":3: SystemExit: 3"),
        ("PACKAGES = ()\n", ": has no pair; needed are PACKAGES, pair"),
        ("PACKAGES = ()\n\n\ndef pair():\n    raise KeyError('gone')\n", ":5: KeyError: 'gone'"),
        ("PACKAGES = ()\n\n\ndef pair():\n    return 3\n", ": expected a ModelPair of pair(), found 3"),
    ],
)
def test_a_broken_pair_is_named_with_its_fault(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "mine" / "__init__.py"
    path.parent.mkdir()
    path.write_text(text)
    assert f"{path}{fault}" in refused("list", "models", **{MODELS: tmp_path})
    assert call("list", "formats", **{MODELS: tmp_path}).returncode == 0, "it is none of the formats' business"


def test_a_broken_hard_case_is_named_with_its_fault(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def case():\n    raise ValueError('not yet')\n")
    assert f"{tmp_path / 'mine.py'}:2: ValueError: not yet" in refused("list", "hard-cases", **{CASES: tmp_path})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def export(:\n", ": SyntaxError: "),
        ("raise RuntimeError('no licence')\n", ":1: RuntimeError: no licence"),
        (FORMAT.replace("FRAMEWORKS", "FRAMEWORK"), ": has no FRAMEWORKS; needed are FRAMEWORKS, VARIANTS"),
        (FORMAT.replace("operators", "count"), ": has no operators; needed are "),
    ],
)
@pytest.mark.parametrize("command", ["list formats", "plan smoke"])
def test_a_broken_format_is_named_with_its_fault(tmp_path: Path, command: str, text: str, fault: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert f"{path}{fault}" in refused(*command.split(), **{FORMATS: tmp_path})


@pytest.mark.parametrize(
    ("text", "fault"),
    [(b"runtime: \xff\n", "'utf-8' codec can't decode"), (b"- a\n", "must be a mapping"), (b"a: [\n", "while parsing")],
)
@pytest.mark.parametrize("command", ["list servers", "plan smoke"])
def test_a_broken_description_of_a_server_is_named_with_its_fault(
    tmp_path: Path, command: str, text: bytes, fault: str
) -> None:
    path = tmp_path / "mine" / "server.yaml"
    path.parent.mkdir()
    path.write_bytes(text)
    said = refused(*command.split(), **{SERVERS: tmp_path})
    assert f"{path}: " in said
    assert fault in said


@pytest.mark.parametrize("folder", ["tests", "/nonexist", str(Path(__file__))])
@pytest.mark.parametrize("variable", LISTED)
def test_a_variable_names_the_absolute_path_of_a_folder(variable: str, folder: str) -> None:
    fault = f"{variable}: expected the absolute path of a folder that exists, found '{folder}'"
    for command in (("list", LISTED[variable]), ("plan", "smoke")):
        assert fault in refused(*command, **{variable: folder})


@pytest.mark.parametrize(
    ("variable", "name", "shipped"),
    [
        (MODELS, "digits_cnn/__init__.py", "models/zoo/digits_cnn/__init__.py"),
        (MODELS, "fft/__init__.py", "models/hard_cases/fft.py"),
        (CASES, "fft.py", "models/hard_cases/fft.py"),
        (CASES, "_seeded.py", "models/hard_cases/_seeded.py"),
        (FORMATS, "onnx.py", "pipelines/formats/onnx.py"),
        (SERVERS, "reference-onnx/server.yaml", "serving/servers/reference-onnx/server.yaml"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_both_places(
    tmp_path: Path, variable: str, name: str, shipped: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    said = refused("plan", "smoke", **{variable: tmp_path})
    assert f"two are called '{path.parent.name if path.parent != tmp_path else path.stem}', rename one: " in said
    assert str(path) in said
    assert str(ROOT / shipped) in said
