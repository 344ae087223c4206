"""ExecuTorch: one `.pte` program whose operators XNNPACK runs where it has them, the weights inside."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from models.pair import Matched, Tensors
from pipelines.formats import Exported
from pipelines.formats._eight_bits import LOOKED_AT, calibration, loud
from pipelines.formats._torch_program import positional, program

FRAMEWORKS: tuple[str, ...] = ("torch",)
VARIANTS: tuple[str, ...] = ("fp32", "int8_dynamic", "int8_static")
NOT_OFFERED = {"fp16": "XNNPACK computes in halves only where the processor has them; not built here"}
PACKAGES: tuple[str, ...] = ("executorch", "torch", "torchao")
EXTRA: str | None = "executorch"

ENTRY = "model.pte"


def preload() -> None:
    """Import it, and trace the patterns that its lowering looks for, which it keeps for the life of a process.

    Together that is 5 s of CPU, as much as the export of a small model. No thread may be left: a nursery forks.
    """
    import torch
    from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa

    for name in (
        "exir",
        "backends.xnnpack.partition.xnnpack_partitioner",
        "backends.xnnpack.quantizer.xnnpack_quantizer",
    ):
        import_module(f"executorch.{name}")
    import_module("torchao.quantization.pt2e.quantize_pt2e")
    tqdm = import_module("tqdm").tqdm  # its monitor is a thread, for progress that nobody sees
    monitored, tqdm.monitor_interval = tqdm.monitor_interval, 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        bilinear_2d.get_graphs()
        sdpa.get_graphs()
    finally:
        torch.set_num_threads(threads)
        tqdm.monitor_interval = monitored


def export(matched: Matched, framework: str, variant: str, folder: Path) -> Exported:  # noqa: ARG001
    """Export, quantize, lower and plan the memory; raises what torch.export or one of ExecuTorch's passes raises.

    Memory is planned for the largest size of each axis: larger inputs are refused when it runs.
    """
    from executorch.exir import to_edge_transform_and_lower

    made = program(matched)
    if variant != "fp32":
        made = _quantized(made, matched, dynamic=variant == "int8_dynamic")
    lowered = to_edge_transform_and_lower(made, partitioner=_partitioners(variant))
    with (folder / ENTRY).open("wb") as file:
        lowered.to_executorch().write_to_file(file)
    return Exported(ENTRY, matched.inputs, matched.outputs)


def operators(path: Path) -> int | None:  # noqa: ARG001
    """The program sees each part that XNNPACK took as one call, and that part has no reader in Python."""
    return None


def _quantized(made: Any, matched: Matched, dynamic: bool) -> Any:
    """By XNNPACK's own quantizer: weights in int8 per channel, symmetric.

    Activations are quantized as they come (of matrix products), or by the ranges that all calibration inputs show. Only
    what holds weights is: with sums and products of activations too, MobileNetV2 agrees with its source on 85 % of the
    images, and the embeddings of MiniLM keep a cosine of 0.87. Of these, as in TFLite, not what 8 bits would spoil.
    """
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        CONV_TARGETS,
        CONV_TRANSPOSE_TARGETS,
        LINEAR_TARGETS,
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    settings = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    quantizer = XNNPACKQuantizer()
    for target in LINEAR_TARGETS if dynamic else LINEAR_TARGETS | CONV_TARGETS | CONV_TRANSPOSE_TARGETS:
        quantizer.set_operator_type(target, settings)
    module, inputs = made.module(), calibration(matched)
    spoilt = () if dynamic else loud(_products(module, matched, inputs[:LOOKED_AT]))
    quantizer.set_filter_function(lambda node: node.name not in spoilt)
    observed = prepare_pt2e(module, quantizer)
    with torch.no_grad():
        for each in inputs[:1] if dynamic else inputs:  # weights are seen in one run
            observed(*positional(matched, each))
    return program(matched, convert_pt2e(observed))


def _products(module: Any, matched: Matched, inputs: Sequence[Tensors]) -> dict[str, list[Any]]:
    """What the products with weights put out, by the name of their node."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import LINEAR_TARGETS

    seen: dict[str, list[Any]] = {}

    class Watching(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            found = super().run_node(n)
            if n.target in LINEAR_TARGETS:
                seen.setdefault(n.name, []).append(found.numpy())
            return found

    with torch.no_grad():
        for each in inputs:
            Watching(module).run(*positional(matched, each))
    return seen


def _partitioners(variant: str) -> list[Any]:
    """What goes to XNNPACK; the rest is left to ExecuTorch's portable kernels.

    XNNPACK reshapes to one dynamic size at most, and its lowering of `unsqueeze` fails where there are two, instead of
    leaving it: so it is not asked. Products quantized as they come are taken one by one, as ExecuTorch's recipes do.
    """
    from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
    from executorch.backends.xnnpack.partition.config.generic_node_configs import UnsqueezeCopyConfig
    from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    class Unsqueeze(UnsqueezeCopyConfig):  # type: ignore[misc]
        def check_constraints(self, node: Any, ep: Any) -> bool:
            dynamic = sum(not isinstance(size, int) for size in node.meta["val"].shape)
            return dynamic <= 1 and bool(super().check_constraints(node, ep))

    configs = [Unsqueeze if each is UnsqueezeCopyConfig else each for each in ALL_PARTITIONER_CONFIGS]
    whole = XnnpackPartitioner(configs=configs)
    if variant != "int8_dynamic":
        return [whole]
    quantized = ConfigPrecisionType.DYNAMIC_QUANT
    return [XnnpackPartitioner(configs=configs, config_precisions=quantized, per_op_mode=True), whole]
