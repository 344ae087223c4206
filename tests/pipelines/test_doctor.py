"""What `doctor --measure` concludes and keeps, and a trial of running servers."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from loadtests import payloads
from loadtests.block import Open
from loadtests.errors import LoadTestError
from loadtests.launch import Generator
from pipelines import burner, calibrate, self_calibration, trust
from pipelines.bench import Standing
from pipelines.calibrate import Arm
from pipelines.environment import usable_cpus
from pipelines.results import Comparison, Trust
from tests.pipelines.test_cli import call, refused


def comparison(a: str, b: str, ratio: float, verdict: str) -> Comparison:
    fields = {"workload": "trial", "metric": "cpu_ms_per_request", "a": a, "b": b, "ci95": None, "blocks": 6}
    return Comparison.model_validate({**fields, "ratio": ratio, "verdict": verdict})


def calibration(aa: Comparison, a5: Comparison) -> Trust:
    return Trust(
        measured_at="2026-01-02T03:04:05+00:00",
        machine=trust.machine(),
        ceiling_rps=5000.0,
        generator_cpu_us_per_request=150.0,
        lag_spectrum_ms=((50, 0.1), (99, 0.4)),
        aa=(aa,),
        a5=(a5,),
        a5_injected=1.05,
        resolvable=((60.0, 1.02),),
        block_s=0.1,
        made_by=trust.made_by(),
        seconds=120.0,
    )


GOOD = calibration(comparison("A", "A again", 1.0, "equivalent"), comparison("A", "A+5%", 0.952, "different"))


def test_a_calibration_is_kept_for_its_machine_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trust.read(tmp_path) is None
    trust.write(GOOD, tmp_path)
    assert trust.read(tmp_path) == GOOD
    with monkeypatch.context() as changed:
        changed.setattr(trust, "machine", lambda: "another one")
        assert trust.read(tmp_path) is None
    monkeypatch.setattr(trust, "made_by", lambda: "other code")
    assert trust.read(tmp_path) is None


def test_a_damaged_calibration_is_none(tmp_path: Path) -> None:
    (tmp_path / trust.FILE).write_text('{"machine": ')
    assert trust.read(tmp_path) is None


def test_a_calibration_must_not_tell_a_server_from_itself_nor_take_more_for_less() -> None:
    assert self_calibration.faults(GOOD) == []
    bad = calibration(comparison("A", "A again", 1.1, "different"), comparison("A", "A+5%", 1.05, "different"))
    assert [fault.partition(":")[0] for fault in self_calibration.faults(bad)] == [
        "a server differs from itself",
        "5 % more CPU came out as less",
    ]
    undecided = calibration(
        comparison("A", "A again", 1.1, "inconclusive"), comparison("A", "A+5%", 0.97, "inconclusive")
    )
    assert self_calibration.faults(undecided) == []
    unseen = calibration(comparison("A", "A again", 1.0, "equivalent"), comparison("A", "A+5%", 0.99, "equivalent"))
    (fault,) = self_calibration.faults(unseen)
    assert fault.startswith("5 % more CPU was called equivalent")


def test_a_difference_that_did_not_come_again_was_chance() -> None:
    bad = calibration(comparison("A", "A again", 1.1, "different"), comparison("A", "A+5%", 0.952, "different"))
    again = bad.model_copy(update={"aa": (*bad.aa, comparison("A", "A again", 1.0, "inconclusive"))})
    assert self_calibration.faults(again) == []
    assert len(self_calibration.faults(bad.model_copy(update={"aa": bad.aa * 2}))) == 1


def test_four_times_the_measuring_halves_what_is_resolvable() -> None:
    found = dict(self_calibration.resolvable([0.02, 0.02], block_s=2.0))
    assert found[60.0] == pytest.approx(1.02 * math.exp(0.84 * 0.02 / math.sqrt(15)))
    wide = dict(self_calibration.resolvable([0.2, 0.2], block_s=2.0))
    assert math.log(wide[15.0]) == pytest.approx(2 * math.log(wide[60.0]))
    assert wide[60.0] == pytest.approx(math.exp(2.8 * 0.2 / math.sqrt(15)))


def test_no_difference_below_what_a_verdict_asks_for_is_promised() -> None:
    assert all(ratio >= 1.02 for _, ratio in self_calibration.resolvable([1e-6], block_s=0.1))


def cpu_s(arm: Arm) -> list[float]:
    """What each copy has used so far."""
    return [used.cpu_s for used in (copy.usage() for copy in arm.copies) if used]


def test_a_trial_measures_the_copies_of_running_servers_in_turn(tmp_path: Path) -> None:
    cpus = tuple(usable_cpus())
    requests = tmp_path / "requests.npz"
    payloads.save(requests, [{"x": np.ones((1, 8), np.float32)}])
    said: list[str] = []
    with ExitStack() as servers, Generator(cpus[:1], tmp_path / "generator.log") as generator:
        arms = [
            Arm(
                name,
                burner.copies(2, iterations, cpus[-1:], tmp_path / f"{name}.log", servers),
                "oip-http",
                burner.MODEL,
                requests,
                Open(100.0),
                cpus[-1:],
            )
            for name, iterations in (("light", 20_000), ("heavy", 60_000))
        ]
        assert len({copy.url for arm in arms for copy in arm.copies}) == 4
        idle_s = cpu_s(arms[1])
        _, seen = calibrate.measured(arms, generator, budget_s=4.0, block_s=0.5, seed=1, say=said.append)
        assert all(after > before + 0.1 for before, after in zip(idle_s, cpu_s(arms[1]), strict=True))
    light, heavy = seen.cells
    assert (light.server, heavy.server) == ("light", "heavy")
    assert len(light.loads[0].blocks) == len(heavy.loads[0].blocks) >= 4
    assert [block.server_copy for block in light.loads[0].blocks[:4]] == [0, 1, 1, 0]
    assert light.loads[0].cpu_ms_per_request is not None
    assert heavy.loads[0].cpu_ms_per_request is not None
    assert heavy.loads[0].cpu_ms_per_request > light.loads[0].cpu_ms_per_request
    assert any("round 1" in line for line in said)


def test_a_trial_of_a_server_that_is_gone_says_so(tmp_path: Path) -> None:
    requests = tmp_path / "requests.npz"
    payloads.save(requests, [{"x": np.ones((1, 8), np.float32)}])
    arm = Arm("gone", (Standing("http://127.0.0.1:1"),), "oip-http", "m", requests, Open(100.0))
    with Generator((0,), tmp_path / "generator.log") as generator, pytest.raises(LoadTestError, match="refused"):
        calibrate.trial([arm, arm], generator, budget_s=4.0, block_s=0.5, seed=1)


def test_doctor_looks_at_both_engines_and_the_weights() -> None:
    result = call("doctor")
    assert result.exit_code in {0, 1}
    for name in ("cores", "engine docker", "engine process", "weights minilm"):
        assert name in result.stdout


@pytest.mark.parametrize("seconds", ["5", "1e9", "nan"])
def test_a_calibration_of_no_sensible_length_is_refused(seconds: str) -> None:
    assert "--seconds: expected 90 to 3600" in refused("doctor", "--measure", "--seconds", seconds)
