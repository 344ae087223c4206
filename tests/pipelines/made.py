"""Results made by hand, for tests of what only reads them."""

from __future__ import annotations

from typing import Any

from pipelines import results

WAYS = {
    "torchscript": ("torch", "reference-libtorch"),
    "onnx": ("torch", "reference-onnx"),
    "savedmodel": ("tensorflow", "reference-tensorflow"),
    "tflite": ("tensorflow", "reference-litert"),
}


def cell_id(format_: str, model: str = "digits_cnn") -> str:
    framework, server = WAYS[format_]
    return f"{model}/{framework}/{format_}/fp32/{server}/oip-http"


def load(workload: str, offered_rps: float | None, p50: float, rps: float, **changes: Any) -> results.Load:
    latency = results.Percentiles(p50=p50, p90=2 * p50, p99=None)
    generator = results.Generator(lag_p99_ms=0.1, cpu_fraction=0.2)
    blocks = tuple(
        results.BlockFigures(
            round=round_,
            attempt=0,
            requests=200,
            errors=0,
            achieved_rps=rps * (1 + round_ / 100),
            latency_ms=results.Percentiles(p50=p50 * (1 + round_ / 100), p90=2 * p50, p99=None),
            cpu_ms_per_request=p50 / 2,
            generator=generator,
        )
        for round_ in range(3)
    )
    made = results.Load(
        workload=workload,
        offered_rps=offered_rps,
        achieved_rps=rps,
        requests=600,
        errors=0,
        latency_ms=latency,
        spectrum_ms=((50, p50), (90, 2 * p50)),
        cpu_ms_per_request=p50 / 2,
        generator=generator,
        valid=True,
        gates=(
            results.Gate(name="lag", passed=True, value=0.1, limit=1.0, unit="ms at p99", remedy="a core of its own"),
        ),
        blocks=blocks,
    )
    return made.model_copy(update=changes)


def cell(format_: str, p50: float = 1.0, **changes: Any) -> results.Cell:
    framework, server = WAYS[format_]
    made = results.Cell(
        id=cell_id(format_),
        model="digits_cnn",
        framework=framework,
        format=format_,
        variant="fp32",
        server=server,
        protocol="oip-http",
        engine="docker",
        status="ok",
        export=results.Export(seconds=1.0, bytes=300_000, cached=False),
        parity=(results.Parity(hop="artifact", max_abs_error=1e-6, max_rel_error=1e-7, passed=True),),
        quality=results.Quality(metric="accuracy", value=0.99, reference=0.99),
        deploy=results.Deploy(
            image=f"deploy-compare/{server}:1",
            image_digest="sha256:1",
            image_bytes=int(p50 * 400e6),
            image_base_bytes=200_000_000,
            cold_start_s=(1.0, 1.1, 1.2),
            memory_idle_bytes=50_000_000,
            memory_peak_bytes=60_000_000,
        ),
        loads=(load("steady", 100.0, p50, 100.0), load("closed", None, p50, 1000 / p50)),
    )
    return made.model_copy(update=changes)


def failed(format_: str, reason: str = "converter_crash: killed by SIGSEGV") -> results.Cell:
    nothing: dict[str, Any] = {"export": None, "parity": (), "quality": None, "deploy": None, "loads": ()}
    detail = "Segmentation fault <b>"
    return cell(format_).model_copy(
        update={"status": "failed", "stage": "export", "reason": reason, "detail": detail, **nothing}
    )


def comparison(a: str, b: str, ratio: float, verdict: str = "different", **fields: Any) -> results.Comparison:
    given = {"workload": "steady", "metric": "latency_ms.p50", "ci95": (ratio * 0.97, ratio * 1.03), "blocks": 6}
    return results.Comparison.model_validate(
        {**given, "a": cell_id(a), "b": cell_id(b), "ratio": ratio, "verdict": verdict, **fields}
    )


def run(*cells: results.Cell, comparisons: tuple[results.Comparison, ...] = ()) -> results.Results:
    return results.Results(
        run_id="20260102-030405-smoke",
        complete=True,
        experiment={"name": "smoke", "tolerance": 1e-4},
        environment={
            "cpu": "A CPU",
            "memory_bytes": 24_000_000_000,
            "engine": "docker",
            "packages": {"torch": "2.13.0"},
        },
        timing=results.Timing(total_s=130.0, measuring_s=48.0, blocks=24),
        cells=cells,
        comparisons=comparisons,
    )
