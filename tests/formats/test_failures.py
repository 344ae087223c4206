"""A converter that fails is data: classified, with its log, and nothing half-written is left."""

from __future__ import annotations

import errno
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pipelines import artifacts, formats
from pipelines.artifacts import ExportError
from tests.formats.conftest import Seed

FAULTS = {
    "crashing": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "converter_crash", "killed by SIGSEGV"),
    "aborting": ("import os; os.abort()", "converter_crash", "killed by SIGABRT"),
    "raising": (
        "raise ValueError('no such operator\\nsecond line')",
        "converter_error",
        "ValueError: no such operator",
    ),
    "killed": (
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "out_of_memory",
        "killed by SIGKILL, as the kernel does when memory runs out",
    ),
    "greedy": ("raise MemoryError('16 GB')", "out_of_memory", "MemoryError: 16 GB"),
    "full": (
        "import errno\nraise RuntimeError('cannot write') from OSError(errno.ENOSPC, 'No space left on device')",
        "disk_full",
        "RuntimeError: cannot write",
    ),
    "exiting": ("import os; os._exit(3)", "converter_error", "ended with exit status 3"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_is_classified_and_leaves_nothing(name: str, seed_format: Seed, tmp_path: Path) -> None:
    body, reason, message = FAULTS[name]
    seed_format(name, f"(folder / 'half').write_bytes(b'x')\nprint('said before it failed', flush=True)\n{body}")
    with pytest.raises(ExportError) as caught:
        artifacts.export("digits_cnn", "torch", name, "fp32", cache=tmp_path / "cache")
    assert (caught.value.stage, caught.value.reason, caught.value.message) == ("export", reason, message)
    assert "said before it failed" in caught.value.detail
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_converter_that_hangs_is_ended_with_its_children(seed_format: Seed, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    seed_format("hanging", hanging(pids))
    started = time.perf_counter()
    with pytest.raises(ExportError) as caught:
        artifacts.export("digits_cnn", "torch", "hanging", "fp32", cache=tmp_path / "cache", timeout_s=2)
    assert time.perf_counter() - started < 10
    assert (caught.value.reason, caught.value.message) == ("timeout", "not done after 2 s")
    assert gone(pids)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_run_that_is_killed_takes_its_worker_along(seed_format: Seed, tmp_path: Path) -> None:
    pids, cache = tmp_path / "pids", tmp_path / "cache"
    seed_format("hanging", hanging(pids, children=False))
    code = (
        "import sys; from pathlib import Path; from pipelines import artifacts;"
        "artifacts.export('digits_cnn', 'torch', 'hanging', 'fp32', cache=Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(cache)]) as run:
        deadline = time.perf_counter() + 30
        while not pids.exists() and time.perf_counter() < deadline:
            time.sleep(0.05)
        run.kill()
    assert gone(pids)
    # What the killed run was making is swept by the next one that makes something.
    seed_format("raising", "raise ValueError")
    with pytest.raises(ExportError):
        artifacts.export("digits_cnn", "torch", "raising", "fp32", cache=cache)
    assert list(cache.iterdir()) == []


def test_an_artifact_that_does_not_load_fails_in_verification(seed_format: Seed, tmp_path: Path) -> None:
    seed_format("garbage", "(folder / 'm').write_bytes(b'no model')\nreturn Exported('m', pair.inputs, pair.outputs)")
    artifact = artifacts.export("digits_cnn", "torch", "garbage", "fp32", cache=tmp_path)
    with pytest.raises(ExportError) as caught:
        artifacts.verify(artifact, "onnxruntime")
    assert (caught.value.stage, caught.value.reason) == ("verify", "converter_error")


@pytest.mark.slow
def test_an_artifact_with_wrong_values_does_not_pass(seed_format: Seed, tmp_path: Path) -> None:
    seed_format(
        "wrong",
        """import dataclasses
from pipelines.formats import onnx
module = pair.torch_module()
module.head.bias.data += 0.5
return onnx.export(dataclasses.replace(pair, torch_module=lambda: module), framework, variant, folder)""",
    )
    artifact = artifacts.export("digits_cnn", "torch", "wrong", "fp32", cache=tmp_path)
    (hop,) = artifacts.verify(artifact, "onnxruntime")
    assert hop.max_abs_error == pytest.approx(0.5, rel=1e-3)
    assert not hop.passed


def test_a_format_is_not_asked_for_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="ValueError: torch_export takes torch as fp32, not tensorflow as fp32"):
        artifacts.export("digits_cnn", "tensorflow", "torch_export", "fp32", cache=tmp_path)


def test_a_cache_on_a_full_disk_is_a_failure_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(ExportError) as caught:
        artifacts.export("digits_cnn", "torch", "onnx", "fp32", cache=tmp_path)
    assert (caught.value.stage, caught.value.reason) == ("export", "disk_full")


def test_an_unknown_format_is_answered_with_the_known_ones(seed_format: Seed) -> None:
    known = formats.names()
    with pytest.raises(formats.UnknownFormat) as caught:
        formats.load("tfl")
    assert str(caught.value) == f"unknown format 'tfl'; known: {', '.join(known)}"
    seed_format("mine", "raise NotImplementedError")
    assert tuple(sorted((*known, "mine"))) == formats.names()


def hanging(pids: Path, children: bool = True) -> str:
    """An exporter that writes the ids of its process and, if it is to have one, its child's, and then waits."""
    child = "subprocess.Popen(['sleep', '600']).pid" if children else "''"
    return f"""import os, subprocess, time
from pathlib import Path
Path({str(pids)!r}).write_text(f"{{os.getpid()}} {{{child}}}")
time.sleep(600)"""


def gone(pids: Path, within_s: float = 5) -> bool:
    """Whether the processes end in time; one that was killed may still wait for its parent to notice."""
    deadline = time.perf_counter() + within_s
    while time.perf_counter() < deadline:
        if not any(_runs(int(pid)) for pid in pids.read_text().split()):
            return True
        time.sleep(0.05)
    return False


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
