"""Results with everything a report can show, made by hand: every panel, invalid loads, endpoints by URL."""

from __future__ import annotations

from typing import Any

from pipelines import results
from tests.pipelines.made import cell, comparison, load, run

METRICS = ("latency_ms.p50", "latency_ms.p90", "latency_ms.p99", "achieved_rps", "cpu_ms_per_request")
SLO = "p99 ≤ 20 ms, errors ≤ 0.1 %"


def measured(workload: str, offered_rps: float | None, p50: float, rps: float, **changes: Any) -> results.Load:
    """A load with every figure a run can have: bounds, lag, latency over time with one stall, readings."""
    tail = {50: 1.0, 75: 1.3, 90: 1.9, 95: 2.4, 99: 4.0, 99.9: 9.0}
    machine = results.Machine(
        others_server_cores=0.02, others_generator_cores=0.05, steal=0.001, pressure=0.04, frequency_ratio=0.98
    )
    plain = load(workload, offered_rps, p50, rps)
    made: dict[str, Any] = {
        "requests": 24_000,
        "latency_ms": results.Percentiles(p50=p50, p90=1.9 * p50, p99=4 * p50),
        "latency_upper_ms": results.Percentiles(p50=1.02 * p50, p90=1.98 * p50, p99=4.5 * p50),
        "service_ms": results.Percentiles(p50=0.9 * p50, p90=1.8 * p50, p99=3.9 * p50),
        "lag_ms": results.Percentiles(p50=0.12, p90=0.2, p99=0.4),
        "gates": tuple(gate.model_copy(update={"value": 0.4}) for gate in plain.gates),
        "spectrum_ms": tuple((percentile, factor * p50) for percentile, factor in tail.items()),
        "goodput_rps": 0.999 * rps,
        "over_time": tuple(
            results.Instant(
                at_s=0.05 + i / 10,
                requests=120,
                p50_ms=p50 * (1 + i % 3 / 50),
                p90_ms=1.9 * p50 * (1 + i % 4 / 40),
                worst_ms=100.0 if i == 13 else 5 * p50 * (1 + i % 5 / 10),
            )
            for i in range(20)
        ),
        "blocks": tuple(block.model_copy(update={"machine": machine}) for block in plain.blocks),
        **changes,
    }
    return plain.model_copy(update=made)


def spoiled(load_: results.Load) -> results.Load:
    """The same load, had the generator sent late."""
    late = results.Gate(
        name="lag",
        passed=False,
        value=7.3,
        limit=1.0,
        unit="ms at p99 in one block",
        remedy="run on an idle machine",
    )
    return load_.model_copy(update={"valid": False, "gates": (late,)})


def capacity(around_rps: float, **changes: Any) -> results.Capacity:
    """A search that found `around_rps`, and its curve up to 130 %; above capacity latency goes up and goodput down."""

    def trial(fraction: float) -> results.Trial:
        over = fraction > 1
        p50 = 0.8 / max(0.05, 1 - 0.9 * fraction)
        return results.Trial(
            rate_rps=fraction * around_rps,
            achieved_rps=min(fraction, 1.02) * around_rps,
            goodput_rps=(0.6 / fraction if over else fraction) * around_rps,
            requests=int(2 * fraction * around_rps),
            errors=3 * over,
            latency_ms=results.Percentiles(p50=p50, p90=1.6 * p50, p99=None if fraction > 1.2 else 2.5 * p50),
            held=not over,
            generator=results.Generator(lag_p99_ms=0.3, cpu_fraction=0.2),
            valid=fraction != 0.9,
        )

    made = results.Capacity(
        slo=SLO,
        rps=around_rps,
        ci95=(0.97 * around_rps, 1.02 * around_rps),
        distribution="poisson",
        trials=tuple(map(trial, (0.25, 0.5, 1.0, 1.1, 1.05))),
        curve=tuple(map(trial, (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3))),
    )
    return made.model_copy(update=changes)


def trust() -> results.Trust:
    """A calibration of this machine that went well."""
    aa = tuple(
        comparison("onnx", "onnx", 1.002, "equivalent", workload="aa", metric=metric, blocks=24, p=0.8)
        for metric in METRICS
    )
    a5 = tuple(
        comparison("onnx", "onnx", ratio, verdict, workload="a5", metric=metric, blocks=24, p=p, more_blocks=more)
        for metric, ratio, verdict, p, more in (
            ("latency_ms.p50", 0.962, "different", 0.001, None),
            ("latency_ms.p90", 0.97, "inconclusive", 0.09, 40),
            ("cpu_ms_per_request", 0.951, "different", 1e-6, None),
        )
    )
    return results.Trust(
        measured_at="2026-01-02 03:04",
        machine="A CPU, 2 cores",
        ceiling_rps=5200.0,
        generator_cpu_us_per_request=148.0,
        lag_spectrum_ms=((50, 0.11), (90, 0.16), (99, 0.42), (99.9, 1.3)),
        aa=aa,
        a5=a5,
        a5_injected=1.05,
        resolvable=((15, 1.09), (60, 1.042), (240, 1.021)),
        seconds=214.0,
    )


def thorough() -> results.Results:
    """A run of four cells with everything a report can show: one invalid load, one search that found nothing."""
    p50s = {"torchscript": 2.2, "onnx": 1.0, "savedmodel": 4.1, "tflite": 1.02}
    cells = []
    for format_, p50 in p50s.items():
        loads = (measured("steady-200", 200.0, p50, 200.0), measured("closed-4", None, p50, 4000 / p50))
        if format_ == "savedmodel":
            loads = (spoiled(loads[0]), loads[1])
        found = capacity(1600 / p50)
        if format_ == "torchscript":
            found = capacity(100.0, rps=None, ci95=None, reason="no rate held it: p99 was 31 ms at 10/s", curve=())
        warm_up = results.WarmUp(seconds=3.5, windows=7, stationary=format_ != "tflite")
        bad = (
            {"status": "invalid", "stage": "load", "reason": "steady-200: gate lag"} if format_ == "savedmodel" else {}
        )
        cells.append(cell(format_, p50, loads=loads, capacity=found, warm_up=warm_up, **bad))
    pairs = [(a, b) for i, a in enumerate(p50s) for b in list(p50s)[i + 1 :]]
    comparisons = tuple(
        comparison(a, b, p50s[a] / p50s[b], workload=workload, metric=metric, blocks=8, **_decided(p50s[a] / p50s[b]))
        for workload in ("steady-200", "closed-4")
        for metric in METRICS
        for a, b in pairs
    )
    asked = {
        "name": "thorough",
        "tolerance": 1e-4,
        "cold_starts": 3,
        "budget": {"cpus": 1, "memory_mb": 3072, "pids": 256},
        "load": {
            "workloads": [
                {"name": "steady-200", "arrivals": {"kind": "open", "rate_rps": 200.0, "distribution": "poisson"}},
                {"name": "closed-4", "arrivals": {"kind": "closed", "users": 4, "think_s": 0.0}, "payload_batch": 8},
            ],
            "rounds": None,
            "budget_s": 60.0,
            "block_s": 2.0,
            "warmup_s": 10.0,
            "max_repeats": 3,
            "capacity": [{"slo": {"p99_ms": 20.0, "max_error_rate": 0.001}, "distribution": "poisson", "trial_s": 2.0}],
            "workers": 1,
            "seed": 20,
        },
    }
    return run(*cells, comparisons=comparisons).model_copy(update={"experiment": asked, "trust": trust()})


def _decided(ratio: float) -> dict[str, Any]:
    if abs(ratio - 1) < 0.025:
        return {"verdict": "equivalent", "p": 0.7, "ci95": (0.99 * ratio, 1.01 * ratio)}
    if ratio < 0.5:
        return {"verdict": "inconclusive", "p": 0.06, "ci95": (0.3 * ratio, 2.6 * ratio), "more_blocks": 12}
    return {"verdict": "different", "p": 0.0004}


def endpoints() -> results.Results:
    """What `deploy-compare load` of two URLs leaves: cells of no framework."""
    cells = tuple(
        cell("onnx").model_copy(
            update={
                "id": f"there/-/-/-/http://127.0.0.1:{port}/oip-http",
                "model": "there",
                "framework": "-",
                "format": "-",
                "variant": "-",
                "server": f"http://127.0.0.1:{port}",
                "engine": "external",
                "export": None,
                "parity": (),
                "quality": None,
                "deploy": None,
                "loads": (measured("steady-200", 200.0, p50, 200.0),),
            }
        )
        for port, p50 in ((8001, 1.0), (8002, 1.3))
    )
    both = {"a": cells[0].id, "b": cells[1].id, "workload": "steady-200"}
    made = run(*cells, comparisons=(comparison("onnx", "onnx", 0.77).model_copy(update=both),))
    environment = {**made.environment, "engine": "external"}
    return made.model_copy(update={"experiment": {"name": "load"}, "environment": environment})
