"""AOTInductor packages (.pt2): a model compiled to a shared library. Loading one runs native code from the artifact.

https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/torch.compiler_aot_inductor.html
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from serving.reference.artifact import ArtifactError, Manifest

_libraries: dict[str, int] = {}
"""File descriptors by sha256. The system never unloads such a library, so loading one again must not map it again; and
it stays open, because the loader takes a name that comes again for the library that it knows by that name."""


def load(path: Path, manifest: Manifest) -> Callable[..., Any]:
    """The compiled model; raises `ArtifactError` where the file is no package, or was compiled for another processor.

    torch's own `aoti_load_package` would first load whatever exported programs lie in the package, pickles included;
    here nothing but the library is taken out of it.
    """
    import torch

    try:
        with zipfile.ZipFile(path) as package:
            library = _one(package, ".so")
            metadata = json.loads(package.read(_one(package, ".wrapper_metadata.json")))
            _check_processor(path, metadata)
            runner = _open(torch, package, library)
        inputs, outputs = (json.loads(spec)[1] for spec in runner.get_call_spec())
    except (RuntimeError, ValueError, LookupError, OSError, zipfile.BadZipFile) as exc:
        reason = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ArtifactError(f"{path.name}: not an AOTInductor package that can be loaded here: {reason[0]}") from exc
    found = _leaves(inputs)
    if found != len(manifest.inputs):
        names = [tensor.name for tensor in manifest.inputs]
        raise ArtifactError(f"the manifest names inputs {names}, but the model takes {found}")
    keys = json.loads(outputs["context"]) if outputs["type"] == "builtins.dict" else None

    def call(*tensors: Any) -> Any:
        results = runner.run(list(tensors))
        return results if keys is None else dict(zip(keys, results, strict=True))

    return call


def _one(package: zipfile.ZipFile, suffix: str) -> str:
    found = [name for name in package.namelist() if "/data/aotinductor/model/" in name and name.endswith(suffix)]
    if len(found) != 1:
        raise LookupError(f"expected one *{suffix}, found {len(found)}")
    return found[0]


def _check_processor(path: Path, metadata: dict[str, str]) -> None:
    """Native code for another processor would end the server at its first request, without a word."""
    import torch

    machine, isa = metadata.get("AOTI_MACHINE", ""), metadata.get("AOTI_CPU_ISA", "")
    here = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    if machine != platform.machine() or ("AVX512" in isa and "AVX512" not in here):
        raise ArtifactError(f"{path.name}: compiled for {machine} {isa}, this processor is {here}")


def _open(torch: Any, package: zipfile.ZipFile, library: str) -> Any:
    """The library from memory: a server's /tmp allows no execution, and a killed one would leave the library there."""
    if sys.platform != "linux":
        return torch._C._aoti.AOTIModelPackageLoader(package.filename, "model", False, 1, -1)
    with package.open(library) as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]  # IO lacks readinto
    if digest not in _libraries:
        _libraries[digest] = os.memfd_create("model.so")
        with package.open(library) as source, open(_libraries[digest], "wb", closefd=False) as target:
            shutil.copyfileobj(source, target, 2**24)
    runner, shared = torch._C._aoti.AOTIModelContainerRunnerCpu, f"/proc/self/fd/{_libraries[digest]}"
    calls = f"{library.removesuffix('.so')}.json"
    if calls not in package.namelist():
        return runner(shared, 1)
    # Operators that were not compiled (an FFT) are called by the list that the runner looks for beside the library.
    with TemporaryDirectory() as folder:
        beside = Path(folder, "model.so")
        beside.symlink_to(shared)
        beside.with_suffix(".json").write_bytes(package.read(calls))
        return runner(str(beside), 1)


def _leaves(spec: dict[str, Any]) -> int:
    children = spec["children_spec"]
    return sum(map(_leaves, children)) if children or spec["type"] else 1
