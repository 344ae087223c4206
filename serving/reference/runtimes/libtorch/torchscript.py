"""TorchScript files. https://docs.pytorch.org/docs/stable/generated/torch.jit.load.html"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.reference.artifact import ArtifactError, Manifest


def load(path: Path, manifest: Manifest) -> Callable[..., Any]:
    """A scripted or traced module; raises `ArtifactError` for any other file.

    `torch.jit.load` reads with an unpickler in C++ that knows no Python class, so that what `torch.save` wrote, which
    `torch.load` would run, is an error here.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit is deprecated, yet it is what is measured here
        try:
            module = torch.jit.load(str(path), map_location="cpu").eval()
            arguments = module.forward.schema.arguments[1:]
        except (RuntimeError, ValueError, AttributeError) as exc:
            reason = str(exc).strip().splitlines() or [type(exc).__name__]
            raise ArtifactError(f"{path.name}: not a TorchScript module: {reason[0]}") from exc
    if len(arguments) != len(manifest.inputs):
        expected = [tensor.name for tensor in manifest.inputs]
        raise ArtifactError(f"the manifest names inputs {expected}, but the model takes {[a.name for a in arguments]}")
    call: Callable[..., Any] = module
    return call
